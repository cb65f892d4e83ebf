import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import type { Prefix } from "@stitch/bgp-speaker";
import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { expect, test } from "vitest";
import { HEARTBEAT, lineOf, prefixesIn } from "../src/speaker/watchdog/lines.ts";
import { WatchdogProcess } from "../src/speaker/watchdog/watchdog.ts";

const DNS: Prefix = { family: "ipv4", address: "10.10.10.53", length: 32 };
const DNS6: Prefix = { family: "ipv6", address: "fd00:10:10::53", length: 128 };

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

/** One that runs, with what it has been told. */
function living(told: string[]): ChildProcess {
  const stdin = new PassThrough().setEncoding("utf8").on("data", (text: string) => void told.push(text));
  const child = Object.assign(new EventEmitter(), {
    unref: () => undefined,
    pid: 7,
    stdin,
    stdout: null,
    stderr: null,
  });
  return child as unknown as ChildProcess;
}

test("a watchdog is told the VIPs when it starts, others when they change, and the last of them when it starts again", async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const children: ChildProcess[] = [];
  const watchdog = new WatchdogProcess({
    protocol: 199,
    bound: seconds(3),
    prefixes: [DNS],
    clock,
    onEvent: () => undefined,
    start: (args) => {
      expect(args.slice(1)).toEqual(["199", "3000"]);
      children.push(living(told));
      return children.at(-1) as ChildProcess;
    },
  });
  watchdog.start();
  await clock.run(milliseconds(500));
  watchdog.cover([DNS, DNS6]);
  await clock.run(milliseconds(500));
  expect(told).toEqual(["10.10.10.53/32\n", "\n", "10.10.10.53/32 fd00:10:10::53/128\n", "\n"]);
  told.length = 0;
  children[0]?.emit("exit", 1, null);
  watchdog.cover([DNS6]);
  await clock.run(seconds(1));
  expect([children.length, told[0]]).toEqual([2, "fd00:10:10::53/128\n"]);
  watchdog.stop();
});

test("a line of the watchdog names VIPs, or is a heartbeat", () => {
  expect(prefixesIn(lineOf([DNS, DNS6]).trimEnd())).toEqual([DNS, DNS6]);
  expect(prefixesIn(HEARTBEAT.trimEnd())).toBeUndefined();
});
