import { createInterface } from "node:readline";

import {
  type Advertisement,
  BgpSession,
  type Family,
  type LocalOptions,
  type PeerOptions,
  type Prefix,
  TcpTransport,
} from "@stitch/bgp-speaker";
import { SystemClock } from "@stitch/clock";

/** What the test says to the speaker, one JSON object a line; the speaker answers with its events in the same way. */
export type Order = { readonly set: readonly Advertisement[] } | { readonly stop: string };

export interface SpeakerOptions {
  readonly peer: PeerOptions;
  readonly local: LocalOptions;
  readonly watch: readonly Prefix[];
  readonly families?: readonly Family[];
}

const options = JSON.parse(process.argv[2] ?? "{}") as SpeakerOptions;
const session = new BgpSession({
  ...options,
  clock: new SystemClock(),
  transport: new TcpTransport(),
  random: Math.random,
  onEvent: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`),
});
session.start();

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  if ("set" in order) session.set(order.set);
  else {
    await session.stop(order.stop);
    break;
  }
}
process.exit(0);
