import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";

import type { Duration } from "@stitch/clock";
import { peer } from "@stitch/peers";
import { execa } from "execa";

import type { Wire } from "../../interop/bgp/wire.ts";
import { NAMES, VIP, ZONE } from "./site.ts";

/** Two threads of dnsperf and two workers want two cores; queries under way enough that nobody ever waits for another. */
const THREADS = 2;
const CLIENTS = 20;
const UNDER_WAY = 2_000;

export interface Load {
  readonly answersPerSecond: number;
  readonly lost: number;
  /** Share of the time, 0..1, in which the machine's processors did nothing. */
  readonly idle: number;
}

/** Asks the VIP from the router's side, by the wire, as fast as it answers. */
export async function saturate(wire: Wire, duration: Duration): Promise<Load> {
  const dnsperf = await peer("dnsperf");
  const queries = wire.file("queries");
  await writeFile(queries, Array.from({ length: NAMES }, (_, i) => `n${i}.${ZONE} A\n`).join(""));
  const how = ["-l", String(duration / 1_000), "-T", String(THREADS), "-c", String(CLIENTS), "-q", String(UNDER_WAY)];
  const argv = [dnsperf.program("dnsperf"), "-s", VIP, "-d", queries, ...how];
  const [file = "", ...args] = wire.router.enter(argv);
  const before = processors();
  const { stdout } = await execa(file, args, { env: dnsperf.env });
  const after = processors();
  const figure = (name: RegExp): number => Number(name.exec(stdout)?.[1] ?? Number.NaN);
  return {
    answersPerSecond: figure(/Queries per second:\s+([\d.]+)/),
    lost: figure(/Queries lost:\s+(\d+)/),
    idle: (after.idle - before.idle) / (after.all - before.all),
  };
}

/** Ticks of all processors since the machine has started (proc(5)): `cpu user nice system idle iowait irq softirq steal`. */
function processors(): { readonly idle: number; readonly all: number } {
  const [, ...ticks] = (/^cpu .*$/m.exec(readFileSync("/proc/stat", "utf8"))?.[0] ?? "").split(/\s+/).map(Number);
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, steal = 0] = ticks;
  return { idle: idle + waiting, all: user + nice + system + idle + waiting + irq + softirq + steal };
}
