import { BindError } from "./bind-error.ts";
import type { DatagramSocket, DatagramSocketOptions, Lacking, Outgoing, SocketCounters } from "./datagrams.ts";
import { endpointRecord, isPort } from "./endpoint-record.ts";
import { ENDPOINT_BYTES, isWildcard, readEndpoint, type Endpoint } from "./endpoint.ts";
import { FailureReport } from "./failure-report.ts";
import type { Handle, Native, NativeUdpOptions } from "./native.ts";
import { ArrivalSlab, ReplySlab } from "./slabs.ts";

/** Places in the addon's counters: 0 to 5 in the order of native/udp_socket.h, behind them our own. */
const RECEIVED = 0;
const BATCHES = 1;
const FULL_BATCHES = 2;
const TRUNCATED = 3;
const SENT = 4;
const SEND_FAILURES = 5;
const HANDLER_FAILURES = 6;
const COUNTERS = 7;

const NO_LOCAL = new Uint8Array(0);

/** The batch interface on recvmmsg and sendmmsg: two system calls and one call of `onBatch` per batch. */
export class NativeSocket implements DatagramSocket {
  readonly implementation = "native";
  readonly lacking: readonly Lacking[];
  readonly local: Endpoint;
  readonly grantedReceiveBuffer: number;
  readonly counters: Readonly<SocketCounters>;
  readonly #native: Native;
  readonly #handle: Handle;
  readonly #options: DatagramSocketOptions;
  readonly #arrivals: ArrivalSlab;
  readonly #replies: ReplySlab;
  readonly #slots = new Float64Array(COUNTERS);
  readonly #failures: FailureReport;
  readonly #later: LaterSlab | undefined;
  /** Made once: at a low rate every datagram has a flush of its own. */
  readonly #flush = (): void => this.#sendLater();
  #drops = 0;
  #closing: Promise<void> | undefined;

  /** Rejects with a BindError that a person can act on, or with the error of an option that the system refuses. */
  static async open(native: Native, options: DatagramSocketOptions): Promise<NativeSocket> {
    try {
      return new NativeSocket(native, options);
    } catch (failure) {
      const { syscall } = failure as NodeJS.ErrnoException;
      if (failure instanceof BindError || syscall === undefined || syscall === "setsockopt") throw failure;
      throw new BindError(options.local, "udp", failure as NodeJS.ErrnoException, process.platform);
    }
  }

  private constructor(native: Native, options: DatagramSocketOptions) {
    const { batchSize, slotSize, replySlotSize } = options;
    this.#native = native;
    this.#options = options;
    this.#failures = new FailureReport(options.clock, options.onFailure);
    this.#arrivals = new ArrivalSlab(batchSize, slotSize);
    this.#replies = new ReplySlab(batchSize, replySlotSize);
    this.counters = new CountersView(this.#slots);
    // On a wildcard each datagram has its own local address, which `udpSendMany` does not take.
    if (replySlotSize > 0 && !isWildcard(options.local.address)) this.#later = new LaterSlab(batchSize, replySlotSize);
    const given = this.#nativeOptions();
    this.#handle = native.udpOpen(given, (count) => this.#deliver(count));
    this.local = readEndpoint(given.local, 0) ?? options.local;
    this.grantedReceiveBuffer = given.granted;
    this.lacking = given.granted < options.receiveBuffer ? ["receive-buffer"] : [];
  }

  sendReplies(end: number): void {
    this.#sendLater(); // order: what was given before goes before
    this.#native.udpReply(this.#handle, end);
  }

  /**
   * Gathered until what is being done is done, or a batch is full: answers from upstream come in batches too. The next turn of
   * the event loop would be late: what else has arrived meanwhile is read before it.
   */
  send(peer: Uint8Array, peerOffset: number, local: Uint8Array, localOffset: number, bytes: Uint8Array): void {
    const later = this.#later;
    if (later === undefined || this.#closing !== undefined || bytes.length > later.slotSize) {
      this.#sendLater(); // order: what was given before goes before
      this.#native.udpSend(this.#handle, peer, peerOffset, local, localOffset, bytes);
      return;
    }
    later.add(peer, peerOffset, bytes);
    if (later.count === later.capacity) this.#sendLater();
    else if (later.count === 1) process.nextTick(this.#flush);
  }

  sendMany({ bytes, slotSize, lengths, peers }: Outgoing, count: number): number {
    this.#sendLater();
    return this.#native.udpSendMany(this.#handle, bytes, slotSize, lengths, peers, count);
  }

  /** Once closed, what it was at the end. */
  kernelDrops(): number {
    const drops = this.#native.udpDrops(this.#handle);
    if (drops >= 0) this.#drops = drops;
    return this.#drops;
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#sendLater();
      this.kernelDrops();
      this.#closing = new Promise((resolve) => this.#native.udpClose(this.#handle, resolve));
    }
    return this.#closing;
  }

  /** What the kernel has no room for waits in the addon, as with a single send. */
  #sendLater(): void {
    const later = this.#later;
    if (later === undefined || later.count === 0) return;
    const { count, slotSize, bytes, lengths, peers } = later;
    later.count = 0;
    const done = this.#native.udpSendMany(this.#handle, bytes, slotSize, lengths, peers, count);
    for (let i = done; i < count; i += 1) {
      const datagram = bytes.subarray(i * slotSize, i * slotSize + (lengths[i] ?? 0));
      this.#native.udpSend(this.#handle, peers, i * ENDPOINT_BYTES, NO_LOCAL, 0, datagram);
    }
  }

  /** Called by the addon: slots [0, count) are filled, the replies' lengths are 0. Must not throw. */
  #deliver(count: number): void {
    this.#arrivals.count = count;
    try {
      this.#options.onBatch(this.#arrivals, this.#replies);
    } catch (failure) {
      this.#slots[HANDLER_FAILURES] = (this.#slots[HANDLER_FAILURES] ?? 0) + 1;
      this.#failures.tell(failure);
    }
  }

  #nativeOptions(): NativeUdpOptions {
    const { local, peer, hopLimit, trafficClass, stampAt, receiveBuffer, replySlotSize } = this.#options;
    const { reusePort, freeBind, receiveTime, receiveHopLimit } = this.#options;
    return {
      local: recordOf(local, local),
      peer: peer === undefined ? new Uint8Array(ENDPOINT_BYTES) : recordOf(peer, local),
      arrivals: this.#arrivals,
      replyBuffer: this.#replies.buffer,
      replyBytes: this.#replies.bytes,
      replyLengths: this.#replies.lengths,
      replySlotSize,
      counters: this.#slots,
      stampAt: stampAt ?? -1,
      receiveBuffer,
      hopLimit: hopLimit ?? 0,
      trafficClass: trafficClass ?? -1,
      reusePort: reusePort === true,
      freeBind: freeBind === true,
      receiveTime: receiveTime === true,
      receiveHopLimit: receiveHopLimit === true,
      receiveLocal: isWildcard(local.address),
      granted: 0,
    };
  }
}

/** Datagrams that were given to `send` and wait for the end of what is being done. */
class LaterSlab implements Outgoing {
  count = 0;
  readonly capacity: number;
  readonly slotSize: number;
  readonly bytes: Uint8Array;
  readonly lengths: Int32Array;
  readonly peers: Uint8Array;

  constructor(capacity: number, slotSize: number) {
    this.capacity = capacity;
    this.slotSize = slotSize;
    this.bytes = new Uint8Array(capacity * slotSize);
    this.lengths = new Int32Array(capacity);
    this.peers = new Uint8Array(capacity * ENDPOINT_BYTES);
  }

  add(peer: Uint8Array, peerOffset: number, bytes: Uint8Array): void {
    const slot = this.count;
    this.bytes.set(bytes, slot * this.slotSize);
    this.lengths[slot] = bytes.length;
    const to = slot * ENDPOINT_BYTES;
    for (let i = 0; i < ENDPOINT_BYTES; i += 1) this.peers[to + i] = peer[peerOffset + i] ?? 0;
    this.count = slot + 1;
  }
}

/** The addon's counters under their names, read when looked at. */
class CountersView implements SocketCounters {
  readonly #slots: Float64Array;

  constructor(slots: Float64Array) {
    this.#slots = slots;
  }

  get received(): number {
    return this.#slots[RECEIVED] ?? 0;
  }
  get batches(): number {
    return this.#slots[BATCHES] ?? 0;
  }
  get fullBatches(): number {
    return this.#slots[FULL_BATCHES] ?? 0;
  }
  get truncated(): number {
    return this.#slots[TRUNCATED] ?? 0;
  }
  get sent(): number {
    return this.#slots[SENT] ?? 0;
  }
  get sendFailures(): number {
    return this.#slots[SEND_FAILURES] ?? 0;
  }
  get handlerFailures(): number {
    return this.#slots[HANDLER_FAILURES] ?? 0;
  }
}

function recordOf(endpoint: Endpoint, local: Endpoint): Uint8Array {
  const record = endpointRecord(endpoint);
  if (record !== undefined) return record;
  const code = isPort(endpoint.port) ? "EINVAL" : "ERR_SOCKET_BAD_PORT";
  throw new BindError(local, "udp", Object.assign(new Error(code), { code }), process.platform);
}
