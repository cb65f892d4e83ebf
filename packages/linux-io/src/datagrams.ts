import type { Clock } from "@stitch/clock";
import type { Endpoint } from "./endpoint.ts";

/**
 * Datagrams in batches: one JavaScript call per batch, no allocation per datagram.
 *
 * A normal wake-up: the kernel has 12 queries; the implementation fills slots 0..11 of the receive slab and calls
 * `onBatch(arrivals, replies)` once. The role reads slot i, writes its answer into reply slot i and sets
 * `replies.lengths[i]`; slots left at 0 stay silent. When `onBatch` returns, the replies go out, each to the peer and
 * from the local address of its arrival.
 *
 * A hard one: slot 3 needs an upstream. The role copies the peer's and the local record (ENDPOINT_BYTES each), leaves
 * `lengths[3]` at 0, and answers later with `socket.send(...)`. Slot 5 was longer than a slot: its TRUNCATED flag is
 * set and the role decides what that means. `onBatch` throws at slot 7: the batch's replies written so far are sent,
 * the failure is counted and given to `onFailure` (once a second at most: a stranger may know how to cause it), and the
 * next batch is delivered as usual. `onBatch` closes the socket: the batch's replies count as failed sends.
 */
export interface Arrivals {
  /** Datagrams in this batch; slots from `count` on are stale. */
  readonly count: number;
  readonly slotSize: number;
  /** Slot i begins at i * slotSize. Valid only during the call. */
  readonly bytes: Uint8Array;
  /** Bytes stored in slot i. */
  readonly lengths: Int32Array;
  /** Bit set of TRUNCATED. */
  readonly flags: Uint8Array;
  /** Who sent slot i: an endpoint record at i * ENDPOINT_BYTES. */
  readonly peers: Uint8Array;
  /** Which of our addresses it was sent to; family 0 where the platform does not say. */
  readonly locals: Uint8Array;
  /** Remaining hop limit; 0 where the platform does not say. */
  readonly hopLimits: Uint8Array;
  /** Receive time: whole seconds since 1970 and nanoseconds within; 0 unless `receiveTime` was asked for. */
  readonly receivedSeconds: Uint32Array;
  readonly receivedNanoseconds: Uint32Array;
}

export const TRUNCATED = 1;
/** Of a socket set: no datagram but the error that an earlier send met; its errno, positive, stands in `lengths`. */
export const SEND_ERROR = 2;

export interface Replies {
  readonly slotSize: number;
  /** The reply to arrival i is written at i * slotSize. */
  readonly bytes: Uint8Array;
  /** Length of the reply to arrival i; 0 (as found) means no reply, more than slotSize is refused as a failed send. */
  readonly lengths: Int32Array;
}

export type BatchHandler = (arrivals: Arrivals, replies: Replies) => void;

export interface DatagramSocketOptions {
  readonly local: Endpoint;
  readonly clock: Clock;
  /** Bytes of a receive slot; longer datagrams arrive cut, flagged TRUNCATED. */
  readonly slotSize: number;
  /** Bytes of a reply slot. */
  readonly replySlotSize: number;
  /** Most datagrams per call. */
  readonly batchSize: number;
  /** Kernel receive buffer wanted, in bytes; what was granted is reported. */
  readonly receiveBuffer: number;
  readonly receiveTime?: boolean;
  /** Whether the hop limit of arrivals is wanted. */
  readonly receiveHopLimit?: boolean;
  /** Hop limit of what is sent (255 lets a peer see that it is one hop away). */
  readonly hopLimit?: number;
  /** Traffic class of what is sent, the whole octet (RFC 2474): 192 is CS6, network control. */
  readonly trafficClass?: number;
  /** SO_REUSEPORT: several sockets of one user share the address and the kernel spreads flows over them. */
  readonly reusePort?: boolean;
  /** IP_FREEBIND: bind an address that is not on this machine yet. */
  readonly freeBind?: boolean;
  /** Receive from this peer only and send to it; replies and `sendMany` need no records then. */
  readonly peer?: Endpoint;
  /**
   * Write the wall time into each reply at this offset just before it is sent: 32 bits of seconds since 1900, 32 of
   * fraction, as NTP has it (RFC 5905 section 6). The only octets of a payload that the socket writes by itself.
   */
  readonly stampAt?: number;
  readonly onBatch: BatchHandler;
  /**
   * Called for a failure of `onBatch` or of the socket, at most once a second; the socket goes on where it can. Must not
   * throw.
   */
  readonly onFailure: (failure: Error) => void;
}

/** Counted since the socket was opened; plain numbers, read at scrape. */
export interface SocketCounters {
  received: number;
  batches: number;
  /** Batches that were as large as asked for: with most of them full, the socket is saturated. */
  fullBatches: number;
  truncated: number;
  sent: number;
  sendFailures: number;
  handlerFailures: number;
}

/** Datagrams to originate with `sendMany`: datagram i begins at i * slotSize and goes to the record of slot i. */
export interface Outgoing {
  readonly slotSize: number;
  readonly bytes: Uint8Array;
  readonly lengths: Int32Array;
  /** ENDPOINT_BYTES each; empty for a socket with a peer. */
  readonly peers: Uint8Array;
}

/** What an implementation cannot do on this machine, said once in health and log. */
export type Lacking =
  | "native-batches"
  | "kernel-receive-time"
  | "hop-limit"
  | "local-address"
  | "kernel-drops"
  | "receive-buffer"
  | "send-stamp"
  | "free-bind"
  | "traffic-class";

export interface DatagramSocket {
  readonly implementation: "dgram" | "native";
  /** As bound: with port 0, the port that the kernel chose. */
  readonly local: Endpoint;
  readonly lacking: readonly Lacking[];
  /** Receive buffer as granted, in bytes, in the unit in which it was asked for. */
  readonly grantedReceiveBuffer: number;
  readonly counters: Readonly<SocketCounters>;
  /**
   * Within `onBatch`: sends what stands in the reply slots below `end` now, so that it does not wait for what `onBatch` does
   * next. Those slots are done with then, also where nothing stood, and their bytes must not be touched. Outside of
   * `onBatch` it does nothing.
   */
  sendReplies(end: number): void;
  /**
   * Sends one datagram to the endpoint record at `peer[peerOffset]`, from the local record when that is known.
   * Never throws and never waits: failures are counted. `bytes` may be reused at once.
   */
  send(peer: Uint8Array, peerOffset: number, local: Uint8Array, localOffset: number, bytes: Uint8Array): void;
  /**
   * Sends datagrams [0, count) in as few system calls as it can. Returns how many are done with: sent, or counted as
   * failures (all of them once the socket is closed). The rest found no room in the kernel, or would have overtaken what
   * waits there; it is the caller's to offer again.
   */
  sendMany(outgoing: Outgoing, count: number): number;
  /** Datagrams that the kernel dropped for want of buffer; undefined where it cannot be known. */
  kernelDrops(): number | undefined;
  /** Stops receiving at once; resolves, always the same promise, when the system has let go of the address. */
  close(): Promise<void>;
}
