import { createInterface } from "node:readline";

import { type BfdChange, BfdMonitor, type BfdStatus } from "@stitch/bfd";
import { milliseconds, SystemClock } from "@stitch/clock";

/** What the test says to the monitor, one JSON object a line; the monitor answers with what it learns in the same way. */
export type Order = { readonly interval: number; readonly multiplier: number } | { readonly stop: true };

export type Told =
  /** `heard`: when the main thread had it, ms of the system's monotonic clock. */
  | { readonly kind: "change"; readonly change: BfdChange; readonly heard: number }
  | { readonly kind: "sessions"; readonly sessions: readonly BfdStatus[] };

export interface MonitorOptions {
  readonly address: string;
  readonly localAddress: string;
  readonly interval: number;
  readonly multiplier: number;
}

const options = JSON.parse(process.argv[2] ?? "{}") as MonitorOptions;
const clock = new SystemClock();
const monitor = new BfdMonitor({
  clock,
  onChange: (change) => tell({ kind: "change", change, heard: Number(process.hrtime.bigint()) / 1e6 }),
  onFailure: (failure) => {
    throw failure;
  },
});
want(options);
const reports = clock.every("sessions", milliseconds(50), () => tell({ kind: "sessions", sessions: monitor.sessions }));

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  if ("stop" in order) break;
  want(order);
}
await monitor.stop();
reports.cancel();
process.exit(0);

function want({ interval, multiplier }: { readonly interval: number; readonly multiplier: number }): void {
  const { address, localAddress } = options;
  monitor.set([{ address, localAddress, interval: milliseconds(interval), multiplier }]);
}

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
