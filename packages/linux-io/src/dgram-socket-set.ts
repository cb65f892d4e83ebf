import { createSocket, type Socket } from "node:dgram";
import { constants } from "node:os";
import { SEND_ERROR, TRUNCATED } from "./datagrams.ts";
import { ENDPOINT_BYTES, readEndpoint, writeEndpoint, type Endpoint } from "./endpoint.ts";
import { FailureReport } from "./failure-report.ts";
import { Places } from "./places.ts";
import { ArrivalSlab } from "./slabs.ts";
import type { SocketSet, SocketSetOptions } from "./socket-set.ts";
import { withZoneName } from "./zone.ts";

/** Datagrams that may wait for one socket's binding: a question and its repetition. */
const MOST_EARLY = 4;

interface Member {
  readonly socket: Socket;
  /** What was sent before the socket was connected; undefined from then on. */
  early: Uint8Array[] | undefined;
}

/** A set of node:dgram sockets, for where the addon is missing: right, and slower. */
export class DgramSocketSet implements SocketSet {
  readonly implementation = "dgram";
  readonly #options: SocketSetOptions;
  readonly #places: Places;
  readonly #members: (Member | undefined)[] = [];
  readonly #arrivals: ArrivalSlab;
  readonly #failures: FailureReport;
  #open = 0;
  #flushDue = false;
  #closed: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(options: SocketSetOptions) {
    this.#options = options;
    this.#places = new Places(options.most, options.batchSize);
    this.#arrivals = new ArrivalSlab(options.batchSize, options.slotSize);
    this.#failures = new FailureReport(options.clock, options.onFailure);
  }

  get size(): number {
    return this.#places.taken;
  }

  open(local: Uint8Array, peer: Uint8Array): number {
    const from = readEndpoint(local, 0);
    const to = readEndpoint(peer, 0);
    if (from === undefined || to === undefined) return -constants.errno.EAFNOSUPPORT;
    const place = this.#closed === undefined ? this.#places.take() : -1;
    if (place < 0) return -constants.errno.EMFILE;
    const socket = createSocket({
      type: from.address.includes(":") ? "udp6" : "udp4",
      lookup: (host, _options, done) => done(null, host, host.includes(":") ? 6 : 4),
    });
    const member: Member = { socket, early: [] };
    this.#members[place] = member;
    this.#open += 1;
    socket.on("error", (failure: NodeJS.ErrnoException) => this.#failed(place, member, failure));
    socket.on("message", (bytes, remote) => this.#arrived(place, member, bytes, remote));
    socket.on("close", () => this.#gone());
    this.#connect(place, member, from, to);
    return place;
  }

  /** What the system says comes later, as an arrival. */
  send(place: number, bytes: Uint8Array): number {
    const member = this.#members[place];
    if (member === undefined) return -constants.errno.EBADF;
    if (member.early === undefined) this.#transmit(place, member, Buffer.from(bytes));
    else if (member.early.length >= MOST_EARLY) return -constants.errno.ENOBUFS;
    else member.early.push(bytes.slice());
    return 0;
  }

  closeSocket(place: number): void {
    const member = this.#members[place];
    if (member === undefined) return;
    this.#members[place] = undefined;
    this.#places.give(place);
    member.socket.close();
  }

  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers<void>();
      for (const place of this.#members.keys()) this.closeSocket(place);
      if (this.#open === 0) this.#closed.resolve();
    }
    return this.#closed.promise;
  }

  #connect(place: number, member: Member, from: Endpoint, to: Endpoint): void {
    const { socket } = member;
    socket.bind({ address: withZoneName(from.address), port: from.port, exclusive: true }, () =>
      socket.connect(to.port, withZoneName(to.address), (failure?: Error) => {
        if (this.#members[place] !== member) return; // closed meanwhile
        if (failure instanceof Error) return void socket.emit("error", failure);
        const early = member.early ?? [];
        member.early = undefined;
        for (const bytes of early) this.#transmit(place, member, bytes);
      }),
    );
  }

  #transmit(place: number, member: Member, bytes: Uint8Array): void {
    member.socket.send(bytes, (failure) => {
      if (failure !== null) this.#failed(place, member, failure);
    });
  }

  #arrived(place: number, member: Member, bytes: Uint8Array, remote: Endpoint): void {
    if (this.#members[place] !== member) return;
    const arrivals = this.#arrivals;
    const slot = arrivals.count;
    const length = Math.min(bytes.length, arrivals.slotSize);
    arrivals.bytes.set(bytes.subarray(0, length), slot * arrivals.slotSize);
    arrivals.lengths[slot] = length;
    arrivals.flags[slot] = length < bytes.length ? TRUNCATED : 0;
    writeEndpoint(remote, arrivals.peers, slot * ENDPOINT_BYTES);
    this.#add(place, slot);
  }

  #failed(place: number, member: Member, failure: NodeJS.ErrnoException): void {
    if (this.#members[place] !== member) return;
    const slot = this.#arrivals.count;
    this.#arrivals.lengths[slot] = constants.errno[failure.code as keyof typeof constants.errno] ?? constants.errno.EIO;
    this.#arrivals.flags[slot] = SEND_ERROR;
    this.#add(place, slot);
  }

  #add(place: number, slot: number): void {
    this.#places.hold(); // until what has arrived was delivered
    this.#arrivals.sockets[slot] = place;
    this.#arrivals.count = slot + 1;
    if (this.#arrivals.count === this.#arrivals.capacity) this.#flush();
    else if (!this.#flushDue) {
      this.#flushDue = true;
      setImmediate(() => this.#flush());
    }
  }

  #flush(): void {
    this.#flushDue = false;
    if (this.#arrivals.count === 0 || this.#closed !== undefined) return;
    try {
      this.#options.onBatch(this.#arrivals);
    } catch (failure) {
      this.#failures.tell(failure);
    } finally {
      this.#arrivals.count = 0;
      this.#places.release();
    }
  }

  #gone(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#closed?.resolve();
  }
}
