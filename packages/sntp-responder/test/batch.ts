import { ENDPOINT_BYTES, writeEndpoint, type Arrivals, type Endpoint, type Replies } from "@stitch/linux-io";
import { REASONS, type Reason } from "../src/reasons.ts";
import type { Responder } from "../src/responder.ts";

const SLOT = 2_048;

/** Longer than a header, so that a reply that overruns is seen. */
const REPLY_SLOT = 256;

export interface Asked {
  readonly reason: Reason;
  /** Undefined when nothing was answered. */
  readonly reply: Uint8Array | undefined;
}

export interface AskOptions {
  readonly from?: Endpoint;
  readonly flags?: number;
  /** Unix time of receipt and of sending: seconds, nanoseconds. */
  readonly received?: readonly [number, number];
  readonly sent?: readonly [number, number];
  /** Place in the batch. */
  readonly slot?: number;
}

export const CLIENT: Endpoint = { address: "192.0.2.7", port: 40_123 };
export const RECEIVED = [1_800_000_000, 250_000_000] as const;
export const SENT = [1_800_000_000, 250_040_000] as const;

/** One datagram through the decision and the transmit stamp, as the server does it. */
export function ask(responder: Responder, request: Uint8Array, options: AskOptions = {}): Asked {
  const { from = CLIENT, flags = 0, received = RECEIVED, sent = SENT, slot = 0 } = options;
  const arrivals = emptyArrivals(slot + 1);
  arrivals.bytes.set(request.subarray(0, SLOT), slot * SLOT);
  arrivals.lengths[slot] = Math.min(SLOT, request.length);
  arrivals.flags[slot] = flags;
  arrivals.receivedSeconds[slot] = received[0];
  arrivals.receivedNanoseconds[slot] = received[1];
  writeEndpoint(from, arrivals.peers, slot * ENDPOINT_BYTES);
  const replies = emptyReplies(slot + 1);
  const reason = REASONS[responder.decide(arrivals, slot, replies)];
  if (reason === undefined) throw new Error("a code without a reason");
  const length = replies.lengths[slot] ?? 0;
  if (length === 0) return { reason, reply: undefined };
  responder.stampTransmit(replies, slot, sent[0], sent[1]);
  return { reason, reply: replies.bytes.slice(slot * REPLY_SLOT, slot * REPLY_SLOT + length) };
}

function emptyArrivals(count: number): Arrivals {
  return {
    count,
    slotSize: SLOT,
    bytes: new Uint8Array(count * SLOT),
    lengths: new Int32Array(count),
    flags: new Uint8Array(count),
    peers: new Uint8Array(count * ENDPOINT_BYTES),
    locals: new Uint8Array(count * ENDPOINT_BYTES),
    hopLimits: new Uint8Array(count),
    receivedSeconds: new Uint32Array(count),
    receivedNanoseconds: new Uint32Array(count),
  };
}

function emptyReplies(count: number): Replies {
  return { slotSize: REPLY_SLOT, bytes: new Uint8Array(count * REPLY_SLOT), lengths: new Int32Array(count) };
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s+/g, ""), "hex"));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
