import type { Clock } from "@stitch/clock";
import type { Arrivals } from "./datagrams.ts";
import { DgramSocketSet } from "./dgram-socket-set.ts";
import { NativeSocketSet } from "./native-socket-set.ts";
import { loadNative } from "./native.ts";

/** What has arrived on any socket of a set; slot i came in on the socket whose place is `sockets[i]`. */
export interface SetArrivals extends Arrivals {
  readonly sockets: Int32Array;
}

export interface SocketSetOptions {
  readonly clock: Clock;
  /** Sockets that may be open at once. */
  readonly most: number;
  readonly slotSize: number;
  /** Most datagrams per call. */
  readonly batchSize: number;
  /**
   * Called with what has arrived. A slot flagged SEND_ERROR is no datagram: an earlier send of that socket met the error
   * whose number stands in `lengths`. A slot may be of a socket that was closed earlier in the same call; its place is
   * not given to another before the call is over.
   */
  readonly onBatch: (arrivals: SetArrivals) => void;
  /** Called for a failure of `onBatch`, at most once a second. */
  readonly onFailure: (failure: Error) => void;
}

/**
 * Many UDP sockets for questions of our own, each on a port of its own choosing, read in common batches. A resolver opens
 * one per question, so that a forger must guess its port; or keeps a pool and chooses by chance.
 */
export interface SocketSet {
  readonly implementation: "dgram" | "native";
  readonly size: number;
  /**
   * A socket bound to the record `local` (port 0: the kernel's choice), connected to the record `peer`: nobody else is
   * heard. Returns its place, or a negative errno: EMFILE when no place or descriptor is free, EADDRNOTAVAIL, ENETUNREACH.
   */
  open(local: Uint8Array, peer: Uint8Array): number;
  /** To the socket's peer. 0, or a negative errno when the system does not take it. */
  send(place: number, bytes: Uint8Array): number;
  /** Its place may be given to another, at once or when the batch under way is over. */
  closeSocket(place: number): void;
  /** Closes all; resolves when the system has let go. */
  close(): Promise<void>;
}

/** The best implementation of this machine. */
export function openSocketSet(options: SocketSetOptions): SocketSet {
  const { native } = loadNative();
  return native === undefined ? new DgramSocketSet(options) : new NativeSocketSet(native, options);
}
