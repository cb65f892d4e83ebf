import { milliseconds, seconds, type Instant } from "@stitch/clock";
import { describe, expect, test } from "vitest";
import { ruleDrain, type DrainFacts } from "../src/decision/drain.ts";

const facts: DrainFacts = {
  stopping: false,
  forced: false,
  began: milliseconds(0) as number as Instant,
  now: milliseconds(6_000) as number as Instant,
  listeners: 1,
  otherOrigin: false,
  stayingOrigin: false,
  time: seconds(5),
  max: seconds(60),
};
const late = { now: milliseconds(61_000) as number as Instant };
const staying = { otherOrigin: true, stayingOrigin: true };
const early = { now: milliseconds(4_000) as number as Instant };

function ruling(change: Partial<DrainFacts>): string {
  const ruled = ruleDrain({ ...facts, ...change });
  return ruled.kind === "withdraw" ? ruled.reason : ruled.kind;
}

describe("the last-origin guard", () => {
  test.each<[string, Partial<DrainFacts>, string]>([
    ["waits while the last resort has not stood for its time", { ...early, ...staying, forced: true }, "wait"],
    ["lets go when another origin is seen", staying, "other-origin-seen"],
    ["holds an operator's drain of the last origin", {}, "held"],
    ["holds it however long it takes", late, "held"],
    ["obeys force", { forced: true }, "drain-forced"],
    ["lets a stopping process wait for evidence", { stopping: true }, "wait"],
    ["but not beyond the deadline", { stopping: true, ...late }, "drain-deadline"],
    ["holds a drain when the other origin is on last resort too", { otherOrigin: true }, "held"],
    ["lets a stopping process leave to such a one", { otherOrigin: true, stopping: true }, "other-origin-seen"],
    [
      "lets a stopping process leave where nobody listens",
      { listeners: 0, ...early, stopping: true },
      "nobody-listens",
    ],
    ["obeys force where nobody listens", { listeners: 0, ...early, forced: true }, "nobody-listens"],
    ["holds an operator's drain while no session can bring proof", { listeners: 0, ...late }, "held"],
  ])("%s", (_name, change, expected) => {
    expect(ruling(change)).toBe(expected);
  });
});
