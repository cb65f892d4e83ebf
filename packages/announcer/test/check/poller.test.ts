import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { beforeEach, expect, test } from "vitest";
import type { CheckObserver, PollResult, Probe } from "../../src/check/observer.ts";
import { Poller } from "../../src/check/poller.ts";

const PACE = { interval: seconds(1), fastInterval: milliseconds(200), timeout: milliseconds(500), jitter: 0 };

let clock: FakeClock;
let results: PollResult[];
let unsettled: boolean;
let poller: Poller;

const observer = {
  polled: (result: PollResult) => void results.push(result),
  get unsettled() {
    return unsettled;
  },
} as CheckObserver;

function start(probe: Probe, jitter = 0, random = 0.5): void {
  poller = new Poller({ probe, pace: { ...PACE, jitter }, clock, random: () => random, observer });
  poller.start();
}

beforeEach(() => {
  clock = new FakeClock();
  results = [];
  unsettled = false;
});

test("polls at once and then every interval, and faster while a poll decides something", async () => {
  start(() => Promise.resolve({ verdict: "pass", detail: "" }));
  await clock.run(milliseconds(3_900));
  expect(results).toHaveLength(4);
  unsettled = true;
  await clock.run(seconds(1)); // the wait that had begun, then fast ones
  expect(results.length).toBeGreaterThanOrEqual(8);
});

test.each([
  [0, 800],
  [0.999_999, 1_200],
])("random %d makes the interval %d ms", async (random, interval) => {
  start(() => Promise.resolve({ verdict: "pass", detail: "" }), 0.2, random);
  await clock.run(milliseconds(interval - 20));
  expect(results).toHaveLength(1);
  await clock.run(milliseconds(40));
  expect(results).toHaveLength(2);
});

test("a probe that rejects, throws or talks too much is a failure with a bounded text", async () => {
  start(() => Promise.reject(new Error("x".repeat(10_000))));
  await clock.run(milliseconds(10));
  poller.stop();
  start(() => {
    throw new Error("no promise");
  });
  await clock.run(milliseconds(10));
  poller.stop();
  start(() => Promise.reject(new DOMException("This operation was aborted", "AbortError")));
  await clock.run(milliseconds(10));
  expect(results.map(({ verdict }) => verdict)).toEqual(["fail", "fail", "fail"]);
  expect(results[2]?.detail).toBe("This operation was aborted");
  expect(results[0]?.detail).toHaveLength(256);
  expect(results[1]?.detail).toBe("no promise");
});

test("a probe that hangs is failed and told to end, and no second one is started beside it", async () => {
  let probes = 0;
  let aborted = 0;
  start((signal) => {
    probes += 1;
    signal.addEventListener("abort", () => void (aborted += 1));
    return new Promise(() => undefined);
  });
  await clock.run(seconds(5));
  expect(probes).toBe(1);
  expect(aborted).toBe(1);
  expect(results.length).toBeGreaterThanOrEqual(5);
  expect(results[0]).toEqual({ verdict: "fail", detail: "no result within 500ms" });
  expect(results.at(-1)?.detail).toBe("the last check has not ended yet");
});

test("a result after the timeout does not count, and polling goes on", async () => {
  let first = true;
  start(async () => {
    if (first) await new Promise<void>((resolve) => void clock.after("slow", milliseconds(700), resolve));
    first = false;
    return { verdict: "pass", detail: "" };
  });
  await clock.run(milliseconds(1_100));
  expect(results.map(({ verdict }) => verdict)).toEqual(["fail", "pass"]);
});

test("after stop nothing is heard and no timer waits", async () => {
  let finish: ((result: PollResult) => void) | undefined;
  start(() => new Promise((resolve) => void (finish = resolve)));
  poller.stop();
  finish?.({ verdict: "pass", detail: "" });
  await clock.run(seconds(2));
  expect(results).toEqual([]);
  expect(clock.waiting).toEqual([]);
});
