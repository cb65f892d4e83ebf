import type { Clock } from "@stitch/clock";
import type { Outcomes } from "@stitch/health";
import {
  ENDPOINT_BYTES,
  openDatagramSocket,
  TRUNCATED,
  type Arrivals,
  type DatagramSocket,
  type Endpoint,
  type Replies,
} from "@stitch/linux-io";
import { tickOf } from "./cache.ts";
import { LARGEST_TCP } from "./cache/reply-writer.ts";
import { PutOff } from "./put-off.ts";
import { REASON } from "./reasons.ts";
import { ACTION, type Resolver } from "./resolver.ts";
import type { QueryLog } from "./query-log.ts";
import type { Serving } from "./serving.ts";
import { TcpListener, type TcpQuery } from "./tcp-listener.ts";
import type { TlsIdentity } from "./tls/certificates.ts";
import type { Names, Outcome, Waiter } from "./upstream/flight.ts";
import { Forwarder, type ForwarderOptions } from "./upstream/forwarder.ts";
import { copied } from "./wire/blocks.ts";
import { EDNS_SIZE } from "./wire/edns.ts";
import { decodeQuery } from "./wire/query.ts";

/**
 * Queries are below 512 bytes, with padding below 1232; what is longer is none. Over TCP too: thousands that are padded
 * to 64 KiB and wait for a dead upstream would cost a gigabyte.
 */
const SLOT_BYTES = 2_048;
const EMPTY = new Uint8Array();
const BATCH = 64;
/** Half a second of queries at 50,000 a second. */
const RECEIVE_BUFFER = 4 * 2 ** 20;

export interface DnsServerOptions {
  readonly listen: readonly Endpoint[];
  /** DNS over TLS: where, and what it is proved with. */
  readonly tls?: { readonly listen: readonly Endpoint[]; readonly identity: TlsIdentity } | undefined;
  /** How many servers share these addresses, this one included. */
  readonly workers: number;
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly outcomes: Outcomes;
  readonly forwarding: Omit<ForwarderOptions, "deliver" | "clock" | "cache" | "names" | "lists" | "workers">;
  readonly onFailure: (failure: Error) => void;
}

/** Sockets of the resolver: takes queries in, carries out what the resolver decides, counts each once at the exit. */
export class DnsServer {
  readonly sockets: DatagramSocket[] = [];
  readonly listeners: TcpListener[] = [];
  readonly forwarder: Forwarder;
  readonly #options: DnsServerOptions;
  /** Queries that are written down, if any are. */
  queryLog: QueryLog | undefined;
  /** Replies to queries that waited, and over TCP. */
  readonly #scratch = new Uint8Array(LARGEST_TCP);
  readonly #upstream = new PutOff(BATCH);

  /** Rejects with a BindError when an address cannot be had; nothing is left open then. */
  static async open(options: DnsServerOptions): Promise<DnsServer> {
    const server = new DnsServer(options);
    try {
      for (const local of options.listen) await server.#listen(local);
      for (const local of options.tls?.listen ?? []) await server.#listenTls(local, options.tls?.identity);
    } catch (failure) {
      await server.close();
      throw failure;
    }
    return server;
  }

  private constructor(options: DnsServerOptions) {
    this.#options = options;
    this.forwarder = new Forwarder({
      ...options.forwarding,
      workers: options.workers,
      clock: options.clock,
      cache: options.resolver.cache,
      names: namesOf(options.resolver),
      lists: () => options.resolver.aliases,
      deliver: (waiter, outcome) => this.#deliver(waiter, outcome),
    });
  }

  /** From the next query on; what is on its way is answered by those who were asked. */
  adopt(serving: Serving): void {
    const { resolver } = this.#options;
    resolver.cache.staleSeconds = serving.staleSeconds;
    resolver.adopt(serving);
    this.forwarder.adopt(serving.routes, serving.limits);
    const { identity } = serving;
    if (identity !== undefined) for (const listener of this.listeners) listener.prove(identity);
  }

  async close(): Promise<void> {
    await Promise.all([this.forwarder, ...this.sockets, ...this.listeners].map((each) => each.close()));
  }

  async #listen(local: Endpoint): Promise<void> {
    const socket = await this.#openUdp(local);
    this.sockets.push(socket);
    this.listeners.push(await this.#openTcp(socket.local));
  }

  async #listenTls(local: Endpoint, tls: TlsIdentity | undefined): Promise<void> {
    const { clock, resolver, workers } = this.#options;
    const onQuery: TcpQuery = (message, peer, reply) =>
      this.#tcpQuery(message, peer, (bytes) => reply(resolver.padded(bytes)));
    const admits = (peer: Uint8Array): boolean => resolver.admits(peer);
    const identity = tls === undefined ? {} : { tls };
    this.listeners.push(await TcpListener.open({ local, workers, clock, admits, onQuery, ...identity }));
  }

  #openUdp(local: Endpoint): Promise<DatagramSocket> {
    const { clock, onFailure, workers } = this.#options;
    let socket: DatagramSocket | undefined;
    const opening = openDatagramSocket({
      local,
      clock,
      slotSize: SLOT_BYTES,
      replySlotSize: EDNS_SIZE,
      batchSize: BATCH,
      receiveBuffer: RECEIVE_BUFFER,
      reusePort: workers > 1,
      onFailure,
      onBatch: (arrivals, replies) => {
        if (socket !== undefined) this.#batch(socket, arrivals, replies);
      },
    });
    return opening.then((opened) => (socket = opened));
  }

  #openTcp(local: Endpoint): Promise<TcpListener> {
    const onQuery = (message: Uint8Array, peer: Uint8Array, reply: (message: Uint8Array) => void): void =>
      this.#tcpQuery(message, peer, reply);
    const { clock, resolver, workers } = this.#options;
    return TcpListener.open({ local, workers, clock, admits: (peer) => resolver.admits(peer), onQuery });
  }

  #batch(socket: DatagramSocket, arrivals: Arrivals, replies: Replies): void {
    this.#upstream.clear();
    try {
      this.#decideAll(arrivals, replies, tickOf(this.#options.clock.now()));
    } finally {
      // Also when a later query of the batch meets a defect of ours: what has been put off has nobody else.
      if (this.#upstream.count > 0) this.#askUpstream(socket, arrivals);
    }
  }

  #decideAll(arrivals: Arrivals, replies: Replies, tick: number): void {
    const { resolver, outcomes } = this.#options;
    const { bytes, peers } = arrivals;
    for (let slot = 0; slot < arrivals.count; slot += 1) {
      if (((arrivals.flags[slot] ?? 0) & TRUNCATED) !== 0) {
        outcomes.count(REASON.oversized);
        continue;
      }
      const at = slot * arrivals.slotSize;
      const size = arrivals.lengths[slot] ?? 0;
      const peer = slot * ENDPOINT_BYTES;
      const outAt = slot * replies.slotSize;
      const action = resolver.decide(bytes, at, size, peers, peer, false, tick, replies.bytes, outAt);
      if (action === ACTION.forward || action === ACTION.refresh) {
        this.#upstream.add(slot, resolver.place, resolver.tag, action === ACTION.forward);
        if (action === ACTION.forward) continue;
      }
      if (action !== ACTION.silent) replies.lengths[slot] = resolver.length;
      this.#left(peers, peer);
    }
  }

  /** When what could be answered has left. The queries were decided long ago, so each is read again. */
  #askUpstream(socket: DatagramSocket, arrivals: Arrivals): void {
    const { resolver } = this.#options;
    const { count, waiting, slots, places, tags, waits } = this.#upstream;
    if (waiting < arrivals.count) socket.sendReplies(arrivals.count);
    for (let i = 0; i < count; i += 1) {
      const slot = slots[i] ?? 0;
      const place = places[i] ?? 0;
      const tag = tags[i] ?? 0;
      decodeQuery(arrivals.bytes, slot * arrivals.slotSize, arrivals.lengths[slot] ?? 0, resolver.query);
      if (waits[i] === 1) this.#later(socket, arrivals, slot, place, tag);
      else this.forwarder.refresh(resolver.query, place, tag);
    }
  }

  /** The batch's memory is used again when this returns, so what waits is copied. */
  #later(socket: DatagramSocket, arrivals: Arrivals, slot: number, place: number, tag: number): void {
    const { resolver } = this.#options;
    const at = slot * arrivals.slotSize;
    const query = copied(arrivals.bytes, at, at + (arrivals.lengths[slot] ?? 0));
    const record = slot * ENDPOINT_BYTES;
    const peer = copied(arrivals.peers, record, record + ENDPOINT_BYTES);
    const local = copied(arrivals.locals, record, record + ENDPOINT_BYTES);
    const reply = (message: Uint8Array): void => socket.send(peer, 0, local, 0, message);
    this.forwarder.ask(resolver.query, place, tag, { query, peer, tcp: false, reply });
  }

  #tcpQuery(message: Uint8Array, peer: Uint8Array, reply: (message: Uint8Array) => void): void {
    const { resolver, clock, outcomes } = this.#options;
    if (message.length > SLOT_BYTES) {
      outcomes.count(REASON.oversized);
      return reply(EMPTY);
    }
    const tick = tickOf(clock.now());
    const action = resolver.decide(message, 0, message.length, peer, 0, true, tick, this.#scratch, 0);
    if (action === ACTION.forward) {
      const waiter = { query: message.slice(), peer, tcp: true, reply };
      this.forwarder.ask(resolver.query, resolver.place, resolver.tag, waiter);
      return;
    }
    this.#left(peer, 0);
    reply(this.#scratch.subarray(0, resolver.length));
    if (action === ACTION.refresh) this.forwarder.refresh(resolver.query, resolver.place, resolver.tag);
  }

  #deliver({ query, peer, tcp, reply }: Waiter, outcome: Outcome): void {
    const { resolver } = this.#options;
    if (outcome.kind === "image") resolver.lateImage(outcome.image, outcome.stale, query, peer, tcp, this.#scratch);
    else resolver.lateFailure(outcome.extended, outcome.reason, query, peer, this.#scratch);
    this.#left(peer, 0);
    reply(this.#scratch.subarray(0, resolver.length));
  }

  /** The exit of every query that could be read: it is counted, and now and then noted. */
  #left(peers: Uint8Array, peerAt: number): void {
    const { resolver, outcomes } = this.#options;
    const { reason } = resolver;
    outcomes.count(reason);
    const log = this.queryLog;
    if (log !== undefined && log.wants(reason)) log.note(resolver.query, peers, peerAt, reason);
  }
}

/** As they are when they are asked for: a reload changes them. */
function namesOf(resolver: Resolver): Names {
  return {
    placeOf: (query) => resolver.claims.placeOf(query),
    localImage: (query, place) => resolver.claims.localImage(query, place),
  };
}
