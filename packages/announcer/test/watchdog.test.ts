import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { expect, test } from "vitest";
import { WatchdogProcess } from "../src/speaker/watchdog/watchdog.ts";

/** What node's spawn returns where the process is out of descriptors (EMFILE): no pid, no pipes, and the error later. */
function stillborn(): ChildProcess {
  const child = Object.assign(new EventEmitter(), { unref: () => undefined });
  queueMicrotask(() => child.emit("error", new Error("spawn EMFILE")));
  return child as unknown as ChildProcess;
}

test("a watchdog that cannot be started for lack of descriptors is tried again, once a second", async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  let started = 0;
  const watchdog = new WatchdogProcess({
    protocol: 199,
    bound: seconds(3),
    prefixes: [],
    clock,
    onEvent: ({ kind, detail }) => void told.push(`${kind} ${detail}`),
    start: () => {
      started += 1;
      return stillborn();
    },
  });
  watchdog.start();
  expect(watchdog.running).toBe(false);
  for (let i = 0; i < 5; i += 1) await clock.run(seconds(1));
  expect(started).toBeGreaterThanOrEqual(5);
  expect(told).toContain("ended spawn EMFILE");
  const before = started;
  watchdog.stop();
  await clock.run(seconds(5));
  expect(started).toBe(before);
});
