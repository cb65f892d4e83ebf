import { ENDPOINT_BYTES, TRUNCATED, writeEndpoint, type Arrivals, type Endpoint } from "@stitch/linux-io";

/** 2026-11-22T14:42:01.123456789Z */
export const RECEIVED = { seconds: Date.UTC(2026, 10, 22, 14, 42, 1) / 1_000, nanoseconds: 123_456_789 };
export const SENDER: Endpoint = { address: "192.0.2.1", port: 40_001 };
export const VIP: Endpoint = { address: "198.51.100.14", port: 514 };

export interface Sent {
  readonly bytes: Uint8Array;
  readonly from?: Endpoint;
  readonly truncated?: boolean;
  readonly seconds?: number;
}

/** A batch as the kernel would have delivered it. */
export function arrivalsOf(datagrams: readonly Sent[]): Arrivals {
  const slotSize = Math.max(1, ...datagrams.map(({ bytes }) => bytes.length));
  const count = datagrams.length;
  const arrivals = {
    count,
    slotSize,
    bytes: new Uint8Array(count * slotSize),
    lengths: Int32Array.from(datagrams, ({ bytes }) => bytes.length),
    flags: Uint8Array.from(datagrams, ({ truncated }) => (truncated === true ? TRUNCATED : 0)),
    peers: new Uint8Array(count * ENDPOINT_BYTES),
    locals: new Uint8Array(count * ENDPOINT_BYTES),
    hopLimits: new Uint8Array(count),
    receivedSeconds: Uint32Array.from(datagrams, ({ seconds }) => seconds ?? RECEIVED.seconds),
    receivedNanoseconds: new Uint32Array(count).fill(RECEIVED.nanoseconds),
  };
  for (const [i, { bytes, from }] of datagrams.entries()) {
    arrivals.bytes.set(bytes, i * slotSize);
    writeEndpoint(from ?? SENDER, arrivals.peers, i * ENDPOINT_BYTES);
    writeEndpoint(VIP, arrivals.locals, i * ENDPOINT_BYTES);
  }
  return arrivals;
}
