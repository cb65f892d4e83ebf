import { elapsed, seconds, type Clock, type Duration } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import { encodeRequest, type Asking, type Exchange, type Request } from "./exchange.ts";
import { RandomIds } from "./random-ids.ts";
import { StreamConnection, type Carried } from "./stream-connection.ts";
import type { StreamResult, Way } from "./stream.ts";

/** Connections to one upstream: each further one is opened when those there are have this many questions on their way. */
const MOST_CONNECTIONS = 4;
const BUSY = 200;
/** Connections to one that answers a single question of each. */
const MOST_ONE_BY_ONE = 64;
/** RFC 7766 section 6.2.3: servers close idle connections at about this age, and a question must not meet that. */
const IDLE: Duration = seconds(9);
const NOTHING = new Uint8Array();

type Pool = Set<StreamConnection>;

/**
 * Asks over streams (TCP, RFC 7766; TLS, RFC 7858) that are kept. Normal: the connection of the last question carries this
 * one too. Hard: the upstream closes it at that very moment; the question is put again, once, on a new one.
 */
export class Streams {
  readonly #clock: Clock;
  readonly #ids = new RandomIds();
  /** By the upstream's own object, which comes from the configuration and goes with it. */
  readonly #pools = new Map<HostPort, Pool>();
  /** Upstreams that answer one question of a connection and close it under the others: each gets one of its own. */
  readonly #oneByOne = new WeakSet<HostPort>();
  #next = 0;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get open(): number {
    let open = 0;
    for (const pool of this.#pools.values()) open += pool.size;
    return open;
  }

  /** `question` is that of the request as it is to be written. */
  exchange(request: Request, question: Uint8Array, way: Way): Asking<StreamResult> {
    const { promise: result, resolve } = Promise.withResolvers<StreamResult>();
    let settled = false;
    let timer = this.#clock.after("upstream-stream", request.limit, () => {
      carried.connection?.missed(carried);
      if (settled) return; // the connection was given up, and this with it
      if (request.late === 0) return finish(TIMEOUT);
      timer = this.#clock.after("upstream-late", request.late, () => finish(TIMEOUT));
      request.onOverdue();
    });
    const finish = (found: StreamResult): void => {
      settled = true;
      timer.cancel();
      carried.connection?.drop(carried);
      resolve(found);
    };
    const carried: Carried = {
      request,
      question,
      way,
      settle: finish,
      message: NOTHING,
      connection: undefined,
      putAt: this.#clock.now(),
      readsBefore: 0,
      since: undefined,
    };
    this.#send(carried);
    return { result, end: () => finish(TIMEOUT) };
  }

  /** Closes what has been idle for long. To be called now and then. */
  tidy(): void {
    const now = this.#clock.now();
    for (const [upstream, pool] of this.#pools) {
      for (const connection of pool) {
        if (connection.load === 0 && elapsed(connection.usedAt, now) >= IDLE) connection.close();
      }
      if (pool.size === 0) this.#pools.delete(upstream); // it may have gone from the configuration
    }
  }

  /** What is on its way comes to a timeout, and what is still put does. */
  close(): void {
    this.#closed = true;
    for (const pool of this.#pools.values()) for (const connection of pool) connection.close();
  }

  #send(carried: Carried): void {
    if (this.#closed) return carried.settle(TIMEOUT);
    try {
      this.#put(carried);
    } catch (failure) {
      // What Node does not take it says by throwing: one route's trouble, and not the worker's end.
      carried.settle(of({ kind: "unreachable", code: (failure as NodeJS.ErrnoException).code ?? "stream" }));
    }
  }

  #put(carried: Carried): void {
    const { request, question, way } = carried;
    const pool = this.#poolOf(request.upstream);
    const connection = this.#free(pool, carried) ?? this.#opened(request, way, pool);
    let id = this.#ids.next();
    while (connection.has(id)) id = this.#ids.next();
    carried.message = way.written(encodeRequest({ ...request, id }, question), request.edns);
    connection.carry(carried);
  }

  /** The least busy one that has room, or that must do because there may be no more. */
  #free(pool: Pool, { request: { upstream }, since = 0 }: Carried): StreamConnection | undefined {
    let least: StreamConnection | undefined;
    for (const connection of pool) {
      if (connection.answers > 1) this.#oneByOne.delete(upstream); // it was a restart that looked so
      if (connection.number < since) continue;
      if (least === undefined || connection.load < least.load) least = connection;
    }
    const [busy, most] = this.#oneByOne.has(upstream) ? [1, MOST_ONE_BY_ONE] : [BUSY, MOST_CONNECTIONS];
    return least !== undefined && least.load >= busy && pool.size < most ? undefined : least;
  }

  #opened(request: Request, way: Way, pool: Pool): StreamConnection {
    const connection: StreamConnection = new StreamConnection(this.#next, request, way, (left, why) => {
      pool.delete(connection);
      const wasOneByOne = connection.answers === 1 && left.some(({ readsBefore }) => readsBefore === 0);
      if (wasOneByOne && why.kind === "unreachable") this.#oneByOne.add(request.upstream);
      for (const each of left) this.#again(each, why, connection.answers > 0);
    });
    this.#next += 1;
    pool.add(connection);
    return connection;
  }

  /** A connection that has carried answers was good, and was closed for its age: the question is put once more. */
  #again(carried: Carried, why: Exchange, wasGood: boolean): void {
    if (!wasGood || carried.since !== undefined || why.kind !== "unreachable") return carried.settle(of(why));
    carried.since = this.#next;
    this.#send(carried);
  }

  #poolOf(upstream: HostPort): Pool {
    const known = this.#pools.get(upstream);
    if (known !== undefined) return known;
    const pool: Pool = new Set();
    this.#pools.set(upstream, pool);
    return pool;
  }
}

function of(exchange: Exchange): StreamResult {
  return { exchange, caseChanged: false };
}

const TIMEOUT = of({ kind: "timeout" });
