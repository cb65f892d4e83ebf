import { SystemClock } from "@stitch/clock";
import {
  ENDPOINT_BYTES,
  loadNative,
  writeEndpoint,
  type Arrivals,
  type DatagramSocketOptions,
  type Endpoint,
  type Replies,
  type SetArrivals,
  type SocketSetOptions,
} from "../../src/index.ts";
import { NativeSocketSet } from "../../src/native-socket-set.ts";
import { NativeSocket } from "../../src/native-socket.ts";
import type { Native } from "../../src/native.ts";

export const LOOPBACK: Endpoint = { address: "127.0.0.1", port: 0 };

export function native(): Native {
  const loaded = loadNative();
  if (loaded.native === undefined) throw new Error(loaded.why);
  return loaded.native;
}

export function openSocket(more: Partial<DatagramSocketOptions> = {}): Promise<NativeSocket> {
  return NativeSocket.open(native(), {
    local: LOOPBACK,
    clock: new SystemClock(),
    slotSize: 1_500,
    replySlotSize: 1_500,
    batchSize: 32,
    receiveBuffer: 2 ** 20,
    onBatch: echo,
    onFailure: fail,
    ...more,
  });
}

export function openSet(
  onBatch: (arrivals: SetArrivals) => void,
  more: Partial<SocketSetOptions> = {},
): NativeSocketSet {
  const defaults = { clock: new SystemClock(), most: 64, slotSize: 512, batchSize: 16, onFailure: fail };
  return new NativeSocketSet(native(), { ...defaults, onBatch, ...more });
}

/** Answers every datagram with its own bytes. */
export function echo(arrivals: Arrivals, replies: Replies): void {
  for (let i = 0; i < arrivals.count; i += 1) {
    const length = Math.min(arrivals.lengths[i] ?? 0, replies.slotSize);
    const begin = i * arrivals.slotSize;
    replies.bytes.set(arrivals.bytes.subarray(begin, begin + length), i * replies.slotSize);
    replies.lengths[i] = length;
  }
}

export function datagrams(arrivals: Arrivals): Buffer[] {
  return Array.from({ length: arrivals.count }, (_, i) => {
    const begin = i * arrivals.slotSize;
    return Buffer.from(arrivals.bytes.subarray(begin, begin + (arrivals.lengths[i] ?? 0)));
  });
}

export function record(endpoint: Endpoint): Uint8Array {
  const bytes = new Uint8Array(ENDPOINT_BYTES);
  if (!writeEndpoint(endpoint, bytes, 0)) throw new Error(`no record for ${endpoint.address}`);
  return bytes;
}

/** Polls; the scenario that waits in vain is ended by its parent. */
export async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => void setTimeout(resolve, 1));
}

/** What was given to `send` has reached the kernel, or waits for room. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function fail(failure: Error): void {
  throw failure;
}
