import type { Arrivals, Replies } from "./datagrams.ts";
import { ENDPOINT_BYTES } from "./endpoint.ts";

/** The receive side of a batch: allocated once, refilled for ever. */
export class ArrivalSlab implements Arrivals {
  count = 0;
  readonly slotSize: number;
  readonly capacity: number;
  /** All arrays lie in it: the addon has one thing to watch, should somebody transfer it away. */
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly lengths: Int32Array;
  readonly flags: Uint8Array;
  readonly peers: Uint8Array;
  readonly locals: Uint8Array;
  readonly hopLimits: Uint8Array;
  readonly receivedSeconds: Uint32Array;
  readonly receivedNanoseconds: Uint32Array;
  /** Of a socket set: the place of the socket that slot i came in on. */
  readonly sockets: Int32Array;

  constructor(capacity: number, slotSize: number) {
    this.capacity = capacity;
    this.slotSize = slotSize;
    const words = 4 * Int32Array.BYTES_PER_ELEMENT;
    const octets = 2 + 2 * ENDPOINT_BYTES + slotSize;
    this.buffer = new ArrayBuffer(capacity * (words + octets));
    let at = 0;
    const next = (size: number): number => (at += size) - size;
    // Words first: they must lie at multiples of four.
    this.lengths = new Int32Array(this.buffer, next(capacity * 4), capacity);
    this.receivedSeconds = new Uint32Array(this.buffer, next(capacity * 4), capacity);
    this.receivedNanoseconds = new Uint32Array(this.buffer, next(capacity * 4), capacity);
    this.sockets = new Int32Array(this.buffer, next(capacity * 4), capacity);
    this.flags = new Uint8Array(this.buffer, next(capacity), capacity);
    this.hopLimits = new Uint8Array(this.buffer, next(capacity), capacity);
    this.peers = new Uint8Array(this.buffer, next(capacity * ENDPOINT_BYTES), capacity * ENDPOINT_BYTES);
    this.locals = new Uint8Array(this.buffer, next(capacity * ENDPOINT_BYTES), capacity * ENDPOINT_BYTES);
    this.bytes = new Uint8Array(this.buffer, next(capacity * slotSize), capacity * slotSize);
  }
}

/** The reply side of a batch. `unsent` counts sends whose bytes the system may still read. */
export class ReplySlab implements Replies {
  unsent = 0;
  readonly slotSize: number;
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly lengths: Int32Array;

  constructor(capacity: number, slotSize: number) {
    this.slotSize = slotSize;
    this.buffer = new ArrayBuffer(capacity * (Int32Array.BYTES_PER_ELEMENT + slotSize));
    this.lengths = new Int32Array(this.buffer, 0, capacity);
    this.bytes = new Uint8Array(this.buffer, this.lengths.byteLength, capacity * slotSize);
  }
}
