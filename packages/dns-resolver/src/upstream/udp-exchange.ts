import { getSystemErrorName } from "node:util";
import { elapsed, milliseconds, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import { ENDPOINT_BYTES, endpointRecord, openSocketSet, SEND_ERROR, TRUNCATED } from "@stitch/linux-io";
import type { SetArrivals, SocketSet } from "@stitch/linux-io";
import { copied } from "../wire/blocks.ts";
import { EDNS_SIZE } from "../wire/edns.ts";
import { Dated, Deadlines } from "./deadlines.ts";
import {
  encodeRequest,
  failed,
  inOwnCase,
  matchAnswer,
  readAnswer,
  type Asking,
  type Exchange,
  type Request,
} from "./exchange.ts";
import { MixedCase } from "./mixed-case.ts";
import { RandomIds } from "./random-ids.ts";

const BATCH = 64;

/**
 * Questions a second from which sockets are used again. Below, every question has a port of its own; above, opening and
 * closing is a quarter of what a question costs.
 */
const POOLING_FROM = 5_000;
/** ... and below which they are no more: where the rate is about the same, sockets are not opened and closed by turns. */
const POOLING_UNTIL = POOLING_FROM / 2;
/** Closing all at once would keep questions waiting for some milliseconds; so many each time. */
const CLOSED_AT_ONCE = 32;
/** Sockets of one upstream that are kept: the port of a question is one of so many, drawn by chance ... */
const POOL = 512;
/** ... and none is kept for longer, so that whoever finds out a port has little time to use it (CVE-2026-50252 class). */
const MOST_USES = 100;
const LONGEST_LIFE: Duration = seconds(5);
const RATE_WINDOW: Duration = milliseconds(100);

/** A connected socket; it carries one question at a time. */
interface Port {
  readonly place: number;
  readonly opened: Instant;
  uses: number;
}

/** The sockets of one upstream of one route. */
interface Pool {
  /** Endpoint records: where its sockets are bound, and whom they ask. */
  readonly local: Uint8Array;
  readonly peer: Uint8Array;
  readonly idle: Port[];
  open: number;
  /** When it was last wanted, at most a window later. */
  asked: Instant;
}

/** So many datagrams of the upstream's that are no answer to a question end its UDP; TCP cannot be forged from afar. */
const MOST_MISSES = 3;

class Waiting extends Dated {
  readonly request: Request;
  /** As it was written. */
  readonly question: Uint8Array;
  readonly port: Port;
  readonly pool: Pool;
  readonly resolve: (result: Exchange) => void;
  misses = 0;
  /** Only a late answer may still come. */
  late = false;

  constructor(request: Request, question: Uint8Array, port: Port, pool: Pool, resolve: (result: Exchange) => void) {
    super();
    this.request = request;
    this.question = question;
    this.port = port;
    this.pool = pool;
    this.resolve = resolve;
  }
}

/**
 * Asks over UDP from connected sockets: the kernel picks a random port for each and lets through only what comes from the
 * upstream's own address and port. All sockets are read in common batches.
 *
 * Normal: a socket is opened, asks one question and is closed. Under load: an idle socket is drawn by chance from some
 * hundred. Hard: the answer to its last question comes late; its id is another, so it is ignored and counted.
 */
export class UdpExchanges {
  readonly #set: SocketSet;
  readonly #clock: Clock;
  readonly #most: number;
  readonly #random = new RandomIds();
  readonly #mixedCase = new MixedCase();
  /** By place in the set. */
  readonly #waiting: (Waiting | undefined)[] = [];
  readonly #deadlines: Deadlines<Waiting>;
  /** By the upstream's own object, which comes from the configuration and goes with it. */
  readonly #pools = new Map<HostPort, Pool>();
  #windowBegan: Instant;
  #inWindow = 0;
  #pooling = false;

  /** At most `most` sockets, 1 or more, are open at once; further questions come to `no-socket`. */
  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
    this.#windowBegan = clock.now();
    this.#deadlines = new Deadlines(clock, "upstream-udp", (waiting) => this.#overdue(waiting));
    this.#set = openSocketSet({
      clock,
      most,
      slotSize: EDNS_SIZE,
      batchSize: BATCH,
      onBatch: (arrivals) => this.#arrived(arrivals),
      onFailure: (failure) => {
        throw failure; // reading an answer never throws: a defect that the process must not survive unnoticed
      },
    });
  }

  /** Sockets that are open, idle ones included. */
  get open(): number {
    return this.#set.size;
  }

  exchange(request: Request): Asking {
    this.#inWindow += 1;
    this.tidy();
    const pool = this.#poolOf(request);
    const port = this.#draw(pool) ?? this.#open(pool);
    if (typeof port === "number") {
      return { result: Promise.resolve(failed(getSystemErrorName(port))), end: () => {} };
    }
    port.uses += 1;
    const { promise: result, resolve } = Promise.withResolvers<Exchange>();
    const question = request.mixedCase ? this.#mixedCase.mix(request.question) : request.question;
    const waiting = new Waiting(request, question, port, pool, resolve);
    this.#waiting[port.place] = waiting;
    this.#deadlines.begin(waiting, request.limit);
    const sent = this.#set.send(port.place, encodeRequest(request, question));
    if (sent < 0) this.#finish(port.place, failed(getSystemErrorName(sent)));
    return { result, end: () => this.#end(waiting) };
  }

  /** What is on its way comes to a timeout. */
  close(): Promise<void> {
    return this.#set.close();
  }

  /** Sockets that only wait for late answers are kept while they are no want to questions that are put now. */
  #overdue(waiting: Waiting): void {
    const { late, onOverdue } = waiting.request;
    if (waiting.late || late === 0 || this.#set.size * 2 > this.#most) return this.#end(waiting);
    waiting.late = true;
    this.#deadlines.begin(waiting, late);
    onOverdue();
  }

  #end(waiting: Waiting): void {
    const { place } = waiting.port;
    if (this.#waiting[place] === waiting) this.#finish(place, { kind: "timeout" });
  }

  #arrived(arrivals: SetArrivals): void {
    for (let slot = 0; slot < arrivals.count; slot += 1) {
      const place = arrivals.sockets[slot] ?? -1;
      const waiting = this.#waiting[place];
      if (waiting !== undefined) this.#read(place, waiting, arrivals, slot);
    }
  }

  #read(place: number, waiting: Waiting, arrivals: SetArrivals, slot: number): void {
    const flags = arrivals.flags[slot] ?? 0;
    const length = arrivals.lengths[slot] ?? 0;
    if ((flags & SEND_ERROR) !== 0) return this.#finish(place, failed(getSystemErrorName(-length)));
    const at = slot * arrivals.slotSize;
    const bytes = arrivals.bytes.subarray(at, at + length);
    const match = matchAnswer(waiting.request.id, waiting.question, bytes);
    if (match === "case-changed") return this.#finish(place, { kind: "case-changed" });
    if (match === "other") return this.#missed(place, waiting);
    // The slab is filled again; the answer is kept.
    const { request } = waiting;
    const cut = (flags & TRUNCATED) !== 0;
    this.#finish(place, cut ? { kind: "truncated" } : inOwnCase(readAnswer(copied(bytes), request), request.question));
  }

  #missed(place: number, waiting: Waiting): void {
    waiting.request.onIgnored();
    waiting.misses += 1;
    if (waiting.misses >= MOST_MISSES) this.#finish(place, { kind: "near-misses" });
  }

  #finish(place: number, result: Exchange): void {
    const waiting = this.#waiting[place];
    if (waiting === undefined) return;
    const { port, pool, resolve } = waiting;
    this.#waiting[place] = undefined;
    this.#deadlines.end(waiting);
    // After a timeout the answer may still come, and would meet the next question of this port.
    if (this.#pooling && result.kind === "answer" && pool.open <= POOL && this.#isFresh(port)) pool.idle.push(port);
    else this.#close(pool, port);
    resolve(result);
  }

  /**
   * Works out the rate of questions. When it has fallen, idle sockets are closed, some at a time; while it has not, those of
   * upstreams that are asked no more, and may have gone from the configuration. To be called now and then.
   */
  tidy(): void {
    const now = this.#clock.now();
    const passed = elapsed(this.#windowBegan, now);
    if (passed < RATE_WINDOW) return;
    this.#pooling = (this.#inWindow * 1_000) / passed >= (this.#pooling ? POOLING_UNTIL : POOLING_FROM);
    this.#windowBegan = now;
    this.#inWindow = 0;
    this.#closeIdle(({ asked }) => !this.#pooling || elapsed(asked, now) >= LONGEST_LIFE);
    for (const [upstream, { open }] of this.#pools) if (open === 0) this.#pools.delete(upstream);
  }

  /** A socket of the pool by chance, once the pool is full; its last place is filled with the last, so this is O(1). */
  #draw(pool: Pool): Port | undefined {
    if (!this.#pooling || pool.open < POOL) return undefined;
    for (let closed = 0; closed < CLOSED_AT_ONCE && pool.idle.length > 0; closed += 1) {
      const i = this.#random.next() % pool.idle.length;
      const port = pool.idle[i];
      const last = pool.idle.pop();
      if (last !== undefined && i < pool.idle.length) pool.idle[i] = last;
      if (port === undefined) return undefined;
      if (this.#isFresh(port)) return port;
      this.#close(pool, port);
    }
    return undefined;
  }

  /** Idle sockets are not worth a question: when there is no room, for want of places, files or ports, they go. */
  #open(pool: Pool): Port | number {
    let place = this.#set.open(pool.local, pool.peer);
    const full = place < 0 && failed(getSystemErrorName(place)).kind === "no-socket";
    if (full && this.#closeIdle(() => true) > 0) place = this.#set.open(pool.local, pool.peer);
    if (place < 0) return place;
    pool.open += 1;
    return { place, opened: this.#clock.now(), uses: 0 };
  }

  #isFresh({ opened, uses }: Port): boolean {
    return uses < MOST_USES && elapsed(opened, this.#clock.now()) < LONGEST_LIFE;
  }

  #close(pool: Pool, { place }: Port): void {
    pool.open -= 1;
    this.#set.closeSocket(place);
  }

  /** Returns how many. */
  #closeIdle(which: (pool: Pool) => boolean): number {
    let closed = 0;
    for (const pool of this.#pools.values()) {
      if (!which(pool)) continue;
      for (; closed < CLOSED_AT_ONCE; closed += 1) {
        const port = pool.idle.pop();
        if (port === undefined) break;
        this.#close(pool, port);
      }
    }
    return closed;
  }

  #poolOf({ upstream, source }: Request): Pool {
    const asked = this.#windowBegan; // near enough, and no look at the clock for every question
    const known = this.#pools.get(upstream);
    if (known !== undefined) {
      known.asked = asked;
      return known;
    }
    const any = upstream.address.includes(":") ? "::" : "0.0.0.0";
    const local = recordOf({ address: source ?? any, port: 0 });
    const pool: Pool = { local, peer: recordOf(upstream), idle: [], open: 0, asked };
    this.#pools.set(upstream, pool);
    return pool;
  }
}

/** The empty record, for what is no endpoint, opens no socket. */
export function recordOf(endpoint: HostPort): Uint8Array {
  return endpointRecord(endpoint) ?? new Uint8Array(ENDPOINT_BYTES);
}
