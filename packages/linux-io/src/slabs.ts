import type { Arrivals, Replies } from "./datagrams.ts";
import { ENDPOINT_BYTES } from "./endpoint.ts";

/** The receive side of a batch: allocated once, refilled for ever. */
export class ArrivalSlab implements Arrivals {
  count = 0;
  readonly slotSize: number;
  readonly capacity: number;
  readonly bytes: Uint8Array;
  readonly lengths: Int32Array;
  readonly flags: Uint8Array;
  readonly peers: Uint8Array;
  readonly locals: Uint8Array;
  readonly hopLimits: Uint8Array;
  readonly receivedSeconds: Uint32Array;
  readonly receivedNanoseconds: Uint32Array;

  constructor(capacity: number, slotSize: number) {
    this.capacity = capacity;
    this.slotSize = slotSize;
    this.bytes = new Uint8Array(capacity * slotSize);
    this.lengths = new Int32Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.peers = new Uint8Array(capacity * ENDPOINT_BYTES);
    this.locals = new Uint8Array(capacity * ENDPOINT_BYTES);
    this.hopLimits = new Uint8Array(capacity);
    this.receivedSeconds = new Uint32Array(capacity);
    this.receivedNanoseconds = new Uint32Array(capacity);
  }
}

/** The reply side of a batch. `unsent` counts sends whose bytes the system may still read. */
export class ReplySlab implements Replies {
  unsent = 0;
  readonly slotSize: number;
  readonly bytes: Uint8Array;
  readonly lengths: Int32Array;

  constructor(capacity: number, slotSize: number) {
    this.slotSize = slotSize;
    this.bytes = new Uint8Array(capacity * slotSize);
    this.lengths = new Int32Array(capacity);
  }
}
