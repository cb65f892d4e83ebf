import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

import {
  type Advertisement,
  BgpSession,
  type Family,
  type LocalOptions,
  type NextHops,
  type PeerOptions,
  type Prefix,
  TcpTransport,
} from "@stitch/bgp-speaker";
import { SystemClock } from "@stitch/clock";
import { canConnectTcp } from "@stitch/linux-io";

import { NATIVE_DIALER } from "./native-dialer.ts";

/** What the test says to the speaker, one JSON object a line; the speaker answers with its events in the same way. */
export type Order =
  | { readonly set: readonly Advertisement[] }
  | { readonly stop: string }
  /** Asks the peer for its routes again. */
  | { readonly watch: readonly Prefix[] }
  /** Answers with a Count. */
  | { readonly count: true }
  /** Answers with an Agreement. */
  | { readonly agreed: true }
  /** Sets the first for a tenth of a second, then the second, and so on until it is over; answers with a Report. */
  | { readonly flap: readonly [readonly Advertisement[], readonly Advertisement[]]; readonly milliseconds: number };

/** Route refresh messages that the peer has sent. */
export interface Count {
  readonly kind: "count";
  readonly refreshes: number;
}

/** What both OPENs came to. */
export interface Agreement {
  readonly kind: "agreement";
  readonly holdTime: number | undefined;
  readonly families: readonly Family[];
}

/** What a flap has cost. */
export interface Report {
  readonly kind: "report";
  readonly changes: number;
  /** Octets of the heap that are in use, at the first tenth of the time and at its end, after collection. */
  readonly heap: readonly [number, number];
}

export interface SpeakerOptions {
  readonly peer: PeerOptions;
  readonly local: LocalOptions;
  readonly watch: readonly Prefix[];
  readonly families?: readonly Family[];
  readonly nextHops?: NextHops;
}

const options = JSON.parse(process.argv[2] ?? "{}") as SpeakerOptions;
const session = new BgpSession({
  ...options,
  clock: new SystemClock(),
  transport: canConnectTcp() === true ? new TcpTransport(NATIVE_DIALER) : new TcpTransport(),
  random: Math.random,
  onEvent: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`),
});
session.start();

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  if ("set" in order) session.set(order.set);
  else if ("watch" in order) session.watch(order.watch);
  else if ("count" in order) {
    const count: Count = { kind: "count", refreshes: session.status.received.messages["route-refresh"] };
    process.stdout.write(`${JSON.stringify(count)}\n`);
  } else if ("agreed" in order) {
    const { holdTime, families } = session.status;
    const agreement: Agreement = { kind: "agreement", holdTime, families };
    process.stdout.write(`${JSON.stringify(agreement)}\n`);
  } else if ("flap" in order) await flap(order.flap, order.milliseconds);
  else {
    await session.stop(order.stop);
    break;
  }
}
process.exit(0);

/** 10 Hz, as often as a route can be made to change by a service that comes and goes. */
async function flap(wishes: readonly (readonly Advertisement[])[], duration: number): Promise<void> {
  const began = performance.now();
  let changes = 0;
  let early: number | undefined;
  for (; performance.now() - began < duration; changes++) {
    session.set(wishes[changes % wishes.length] ?? []);
    if (early === undefined && performance.now() - began > duration / 10) early = collected();
    await pause(100);
  }
  const report: Report = { kind: "report", changes, heap: [early ?? 0, collected()] };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** The heap in use after a collection, which takes the flag that the test starts this process with. */
function collected(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
