import { SystemClock } from "@stitch/clock";
import { expect, test } from "vitest";
import { atOnce, sliced, type Steps } from "../src/sliced.ts";

const clock = new SystemClock();

/** Takes `milliseconds` in steps that are far shorter. */
function* busy(milliseconds: number): Steps<string> {
  const began = clock.now();
  while (clock.now() - began < milliseconds) yield;
  return "done";
}

function* failing(): Steps<never> {
  yield;
  throw new Error("in the middle");
}

test("work in slices lets the loop turn many times while it lasts", async () => {
  let turns = 0;
  let working = true;
  const turn = (): void => {
    turns += 1;
    if (working) setImmediate(turn);
  };
  setImmediate(turn);
  expect(await sliced(busy(200), clock)).toBe("done");
  working = false;
  expect(turns).toBeGreaterThan(5);
});

test("a failure in a step is the failure of the work", async () => {
  await expect(sliced(failing(), clock)).rejects.toThrow("in the middle");
  expect(() => atOnce(failing())).toThrow("in the middle");
  expect(atOnce(busy(0))).toBe("done");
});
