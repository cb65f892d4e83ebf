import { randomInt } from "node:crypto";
import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";

import { seconds, SystemClock } from "@stitch/clock";
import { setRealtime } from "@stitch/linux-io";

import { BfdEngine } from "./engine.ts";
import { LagMeter } from "./lag-meter.ts";
import { ThreadPrecedence } from "./precedence.ts";
import type { WorkerNotice, WorkerOrder, WorkerSettings } from "./protocol.ts";
import { UdpTransport } from "./udp-transport.ts";

// The thread that BfdMonitor starts: nothing else runs here, so nothing else can make a packet late.

/** Nice value, where realtime is not granted; packets of a few hundred octets a second are no burden to those who wait. */
const PRIORITY = -10;
const REPORT_INTERVAL = seconds(1);

const port = parentPort;
if (port === null) throw new Error("this file is the thread that BfdMonitor starts, not a program");

const clock = new SystemClock();
const lag = new LagMeter(clock);
const precedence = new ThreadPrecedence({
  clock,
  realtime: (on) => setRealtime(on) === undefined,
  nice: raisePriority,
  used: () => {
    const { user, system } = process.threadCpuUsage();
    return user + system;
  },
});
const engine = new BfdEngine({
  clock,
  random: () => randomInt(2 ** 24) / 2 ** 24,
  randomBits: () => randomInt(2 ** 32),
  transport: new UdpTransport({ clock, ...(workerData as WorkerSettings) }),
  onChange: (change) => {
    tell({ kind: "change", change });
    report();
  },
});
const reports = clock.every("bfd-report", REPORT_INTERVAL, () => {
  precedence.look();
  report();
});

port.on("message", (order: WorkerOrder) => {
  if (order.kind === "set") engine.set(order.peers);
  else void stop();
});

function tell(notice: WorkerNotice): void {
  port?.postMessage(notice);
}

function report(): void {
  const { sessions, refused } = engine;
  tell({ kind: "report", report: { sessions, refused, lag: lag.take(), precedence: precedence.now } });
}

async function stop(): Promise<void> {
  await engine.stop();
  lag.stop();
  reports.cancel();
  port?.close();
}

/** On Linux priorities belong to threads; elsewhere this would be the whole process's. */
function raisePriority(): boolean {
  if (process.platform !== "linux") return false;
  try {
    setPriority(0, PRIORITY);
    return true;
  } catch {
    return false; // needs CAP_SYS_NICE; the report says so
  }
}
