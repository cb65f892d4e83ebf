import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { readFileSync } from "node:fs";
import type { Clock } from "@stitch/clock";
import { BindError } from "./bind-error.ts";
import {
  TRUNCATED,
  type DatagramSocket,
  type DatagramSocketOptions,
  type Lacking,
  type Outgoing,
} from "./datagrams.ts";
import { isPort } from "./endpoint-record.ts";
import { ENDPOINT_BYTES, isWildcard, readEndpoint, writeEndpoint, type Endpoint } from "./endpoint.ts";
import { FailureReport } from "./failure-report.ts";
import { dropsOf } from "./proc-net-udp.ts";
import { withZoneIndex, withZoneName } from "./zone.ts";
import { ArrivalSlab, ReplySlab } from "./slabs.ts";

/** No system refuses a receive buffer of this many bytes. */
const SMALLEST_BUFFER = 4_096;
/** Reply slabs that may wait for the kernel at once; a flood that outruns sending costs this much memory, no more. */
const MOST_REPLY_SLABS = 8;
/** Bytes outside batches that may wait at once; beyond it sends fail and are counted, as with a full socket buffer. */
const MOST_QUEUED_BYTES = 4 * 2 ** 20;
/** What the bookkeeping of one waiting send costs, in bytes, so that empty datagrams are bounded too. */
const QUEUED_SEND_OVERHEAD = 512;

/**
 * The batch interface on node:dgram: one system call and several objects per datagram, right everywhere.
 * libuv reads up to 32 datagrams per wake-up; they are gathered and handed over together once the reading is done.
 */
export class DgramSocket implements DatagramSocket {
  readonly implementation = "dgram";
  readonly lacking: readonly Lacking[];
  readonly local: Endpoint;
  readonly grantedReceiveBuffer: number;
  readonly counters = {
    received: 0,
    batches: 0,
    fullBatches: 0,
    truncated: 0,
    sent: 0,
    sendFailures: 0,
    handlerFailures: 0,
  };
  readonly #socket: Socket;
  readonly #options: DatagramSocketOptions;
  readonly #arrivals: ArrivalSlab;
  readonly #remotes: RemoteInfo[] = [];
  readonly #failures: FailureReport;
  readonly #slabs: ReplySlab[] = [];
  #discard: ReplySlab | undefined;
  readonly #localRecord = new Uint8Array(ENDPOINT_BYTES);
  readonly #peerRecord = new Uint8Array(ENDPOINT_BYTES);
  readonly #kernelDropsKnown: boolean;
  #flushDue = false;
  /** Where the replies to the batch that is being delivered are written. */
  #delivering: ReplySlab | undefined;
  /** Slots of it that are done with. */
  #replied = 0;
  #closing: Promise<void> | undefined;
  #queuedBytes = 0;

  /** Resolves with an open socket, or rejects with a BindError that a person can act on. */
  static async open(options: DatagramSocketOptions): Promise<DgramSocket> {
    const { local, peer, reusePort = false } = options;
    const socket = createSocket({
      type: local.address.includes(":") ? "udp6" : "udp4",
      ipv6Only: local.address.includes(":"),
      reusePort,
      // Addresses are literals: without this, node:dgram asks its resolver, and defers, on every send.
      lookup: (host, _options, done) => done(null, host, host.includes(":") ? 6 : 4),
    });
    await bound(socket, local);
    if (peer !== undefined) await connected(socket, local, peer);
    try {
      return new DgramSocket(socket, options);
    } catch (failure) {
      socket.close();
      throw failure;
    }
  }

  private constructor(socket: Socket, options: DatagramSocketOptions) {
    const { address, port } = socket.address();
    this.#socket = socket;
    this.#options = options;
    this.#failures = new FailureReport(options.clock, options.onFailure);
    this.local = { address, port };
    this.#arrivals = new ArrivalSlab(options.batchSize, options.slotSize);
    this.grantedReceiveBuffer = grantedBuffer(socket, options.receiveBuffer);
    this.#kernelDropsKnown = this.kernelDrops() !== undefined;
    if (!isWildcard(address)) writeEndpoint(withZoneIndex(this.local), this.#localRecord, 0);
    if (options.peer !== undefined) writeEndpoint(withZoneIndex(options.peer), this.#peerRecord, 0);
    this.lacking = this.#lacking();
    if (options.hopLimit !== undefined) socket.setTTL(options.hopLimit);
    socket.on("message", (bytes, remote) => this.#arrived(bytes, remote));
    socket.on("error", (failure) => this.#failures.tell(failure));
  }

  send(peer: Uint8Array, peerOffset: number, _local: Uint8Array, _localOffset: number, bytes: Uint8Array): void {
    const endpoint = readEndpoint(peer, peerOffset);
    const cost = bytes.length + QUEUED_SEND_OVERHEAD;
    if (this.#closing !== undefined || endpoint === undefined || this.#queuedBytes + cost > MOST_QUEUED_BYTES) {
      this.counters.sendFailures += 1;
      return;
    }
    this.#queuedBytes += cost;
    const to = { address: withZoneName(endpoint.address), port: endpoint.port };
    this.#transmit(Buffer.from(bytes), 0, bytes.length, to, (failure) => {
      this.#queuedBytes -= cost;
      this.#sent(failure);
    });
  }

  sendReplies(end: number): void {
    const slab = this.#delivering;
    const last = Math.min(end, this.#arrivals.count);
    if (slab !== undefined && last > this.#replied) this.#reply(slab, last);
  }

  sendMany(outgoing: Outgoing, count: number): number {
    const { bytes, slotSize, lengths, peers } = outgoing;
    for (let i = 0; i < count; i += 1) {
      const length = lengths[i] ?? 0;
      const datagram = bytes.subarray(i * slotSize, i * slotSize + length);
      if (length < 0 || length > slotSize) this.counters.sendFailures += 1;
      else if (peers.length > 0) this.send(peers, i * ENDPOINT_BYTES, this.#localRecord, 0, datagram);
      else this.send(this.#peerRecord, 0, this.#localRecord, 0, datagram);
    }
    return count;
  }

  kernelDrops(): number | undefined {
    try {
      return dropsOf(this.local, (path) => readFileSync(path, "latin1"));
    } catch {
      return undefined; // not Linux, or /proc is hidden: said once through `lacking`
    }
  }

  /** What was read before is delivered first: it has been counted as received, and nobody else has it. */
  close(): Promise<void> {
    if (this.#delivering === undefined) this.#flush();
    this.#closing ??= new Promise<void>((resolve) => {
      this.#socket.close(() => resolve());
    });
    return this.#closing;
  }

  #lacking(): Lacking[] {
    const lacking: Lacking[] = ["native-batches"];
    const { receiveHopLimit, receiveTime, stampAt, freeBind, trafficClass } = this.#options;
    if (receiveHopLimit === true) lacking.push("hop-limit");
    if (receiveTime === true) lacking.push("kernel-receive-time");
    if (stampAt !== undefined) lacking.push("send-stamp");
    if (freeBind === true) lacking.push("free-bind");
    if (trafficClass !== undefined) lacking.push("traffic-class");
    if (this.#localRecord[0] === 0) lacking.push("local-address");
    if (!this.#kernelDropsKnown) lacking.push("kernel-drops");
    if (this.grantedReceiveBuffer < this.#options.receiveBuffer) lacking.push("receive-buffer");
    return lacking;
  }

  #arrived(bytes: Buffer, remote: RemoteInfo): void {
    const arrivals = this.#arrivals;
    const slot = arrivals.count;
    const length = Math.min(bytes.length, arrivals.slotSize);
    arrivals.bytes.set(length === bytes.length ? bytes : bytes.subarray(0, length), slot * arrivals.slotSize);
    arrivals.lengths[slot] = length;
    arrivals.flags[slot] = length < bytes.length ? TRUNCATED : 0;
    if (length < bytes.length) this.counters.truncated += 1;
    writeEndpoint(withZoneIndex(remote), arrivals.peers, slot * ENDPOINT_BYTES);
    arrivals.locals.set(this.#localRecord, slot * ENDPOINT_BYTES);
    if (this.#options.receiveTime === true) stampArrival(arrivals, slot, this.#options.clock);
    this.#remotes[slot] = remote;
    arrivals.count = slot + 1;
    this.counters.received += 1;
    if (arrivals.count === arrivals.capacity) this.#flush();
    else this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    setImmediate(() => {
      this.#flushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#arrivals.count === 0 || this.#closing !== undefined) return;
    const slab = this.#freeSlab();
    this.counters.batches += 1;
    if (this.#arrivals.count === this.#arrivals.capacity) this.counters.fullBatches += 1;
    this.#delivering = slab;
    this.#replied = 0;
    try {
      this.#options.onBatch(this.#arrivals, slab);
    } catch (failure) {
      this.counters.handlerFailures += 1;
      this.#failures.tell(failure);
    } finally {
      this.#delivering = undefined;
      this.#reply(slab, this.#arrivals.count);
      this.#arrivals.count = 0;
    }
  }

  /** A slab whose bytes the system no longer reads; when all wait, one whose replies will be dropped and counted. */
  #freeSlab(): ReplySlab {
    let slab = this.#slabs.find((candidate) => candidate.unsent === 0);
    if (slab === undefined && this.#slabs.length < MOST_REPLY_SLABS) {
      slab = new ReplySlab(this.#options.batchSize, this.#options.replySlotSize);
      this.#slabs.push(slab);
    }
    slab ??= this.#discard ??= new ReplySlab(this.#options.batchSize, this.#options.replySlotSize);
    slab.lengths.fill(0);
    return slab;
  }

  /** A length beyond its slot would send bytes of the neighbour's answer: it is refused and counted. */
  #reply(slab: ReplySlab, end: number): void {
    const unsendable = this.#closing !== undefined || slab === this.#discard;
    const done = (failure: Error | null): void => {
      slab.unsent -= 1;
      this.#sent(failure);
    };
    const from = this.#replied;
    this.#replied = end;
    for (let slot = from; slot < end; slot += 1) {
      const length = slab.lengths[slot] ?? 0;
      const remote = this.#remotes[slot];
      if (length <= 0 || remote === undefined) continue;
      if (unsendable || length > slab.slotSize) {
        this.counters.sendFailures += 1;
        continue;
      }
      slab.unsent += 1;
      this.#transmit(slab.bytes, slot * slab.slotSize, length, remote, done);
    }
  }

  #transmit(
    bytes: Uint8Array,
    offset: number,
    length: number,
    to: Endpoint,
    done: (failure: Error | null) => void,
  ): void {
    try {
      if (this.#options.peer === undefined) this.#socket.send(bytes, offset, length, to.port, to.address, done);
      else this.#socket.send(bytes, offset, length, done);
    } catch (failure) {
      done(failure as Error); // port 0 from a forged datagram: node:dgram refuses it by throwing
    }
  }

  #sent(failure: Error | null): void {
    if (failure === null) this.counters.sent += 1;
    else this.counters.sendFailures += 1;
  }
}

function bound(socket: Socket, local: Endpoint): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const refused = (cause: NodeJS.ErrnoException): void => {
      socket.close();
      reject(new BindError(local, "udp", cause, process.platform));
    };
    if (!isPort(local.port)) {
      refused(Object.assign(new RangeError("no such port"), { code: "ERR_SOCKET_BAD_PORT" }));
      return;
    }
    socket.once("error", refused);
    socket.bind({ address: local.address, port: local.port, exclusive: true }, () => {
      socket.off("error", refused);
      resolve();
    });
  });
}

function connected(socket: Socket, local: Endpoint, peer: Endpoint): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    socket.connect(peer.port, peer.address, (failure?: NodeJS.ErrnoException) => {
      if (!(failure instanceof Error)) return resolve();
      socket.close();
      reject(new BindError(local, "udp", failure, process.platform));
    });
  });
}

/**
 * Asks for a receive buffer and says what was granted. Linux cuts the wish to net.core.rmem_max, macOS refuses it, so it
 * is halved until it is taken. Linux reports twice what was asked for (its own bookkeeping included): given back in the
 * asker's unit.
 */
function grantedBuffer(socket: Socket, wanted: number): number {
  for (let wish = wanted; wish >= SMALLEST_BUFFER; wish = Math.floor(wish / 2)) {
    try {
      socket.setRecvBufferSize(wish);
      break;
    } catch {
      continue; // halved; what was granted in the end is reported through `lacking`
    }
  }
  const reported = socket.getRecvBufferSize();
  return process.platform === "linux" ? reported / 2 : reported;
}

function stampArrival(arrivals: ArrivalSlab, slot: number, clock: Clock): void {
  const micros = clock.wallMicros();
  const wholeSeconds = Math.floor(micros / 1_000_000);
  arrivals.receivedSeconds[slot] = wholeSeconds;
  arrivals.receivedNanoseconds[slot] = (micros - wholeSeconds * 1_000_000) * 1_000;
}
