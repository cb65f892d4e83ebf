import { elapsed, seconds, type Clock, type Duration } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import { encodeRequest, type Asking, type Exchange, type Request } from "../upstream/exchange.ts";
import { RandomIds } from "../upstream/random-ids.ts";
import { OPT_BYTES } from "../wire/edns.ts";
import { padded, QUERY_BLOCK } from "./padding.ts";
import { TlsConnection, type Carried } from "./tls-connection.ts";
import type { TlsTrust } from "./trust.ts";

/** Connections to one upstream: each further one is opened when those there are have this many questions on their way. */
const MOST_CONNECTIONS = 4;
const BUSY = 200;
const NOTHING = new Uint8Array();
/** RFC 7766 section 6.2.3: servers close idle connections at about this age, and a question must not meet that. */
const IDLE: Duration = seconds(9);

interface Pool {
  readonly connections: Set<TlsConnection>;
  session: Buffer | undefined;
}

/**
 * Asks over TLS (RFC 7858), on connections that are kept. Normal: the connection of the last question carries this one
 * too. Hard: the upstream closes it at that very moment; the question is put again, once, on a new one. A certificate that
 * is not the upstream's ends the attempt, and nothing is ever asked in the clear instead.
 */
export class TlsExchanges {
  readonly #clock: Clock;
  readonly #ids = new RandomIds();
  /** By the upstream's own object, which comes from the configuration and goes with it. */
  readonly #pools = new Map<HostPort, Pool>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get open(): number {
    let open = 0;
    for (const { connections } of this.#pools.values()) open += connections.size;
    return open;
  }

  exchange(request: Request, trust: TlsTrust): Asking {
    const { promise: result, resolve } = Promise.withResolvers<Exchange>();
    let settled = false;
    let timer = this.#clock.after("upstream-tls", request.limit, () => {
      carried.connection?.missed();
      if (settled) return; // the connection was given up, and this with it
      if (request.late === 0) return finish({ kind: "timeout" });
      timer = this.#clock.after("upstream-late", request.late, () => finish({ kind: "timeout" }));
      request.onOverdue();
    });
    const finish = (exchange: Exchange): void => {
      settled = true;
      timer.cancel();
      carried.connection?.drop(carried);
      resolve(exchange);
    };
    const carried: Carried = { request, message: NOTHING, settle: finish, connection: undefined, repeated: false };
    this.#send(carried, trust);
    return { result, end: () => finish({ kind: "timeout" }) };
  }

  /** Closes what has been idle for long. To be called now and then. */
  tidy(): void {
    const now = this.#clock.now();
    for (const [upstream, { connections }] of this.#pools) {
      for (const connection of connections) {
        if (connection.load === 0 && elapsed(connection.usedAt, now) >= IDLE) connection.close();
      }
      if (connections.size === 0) this.#pools.delete(upstream); // it may have gone from the configuration
    }
  }

  close(): void {
    for (const { connections } of this.#pools.values()) for (const connection of connections) connection.close();
  }

  #send(carried: Carried, trust: TlsTrust): void {
    try {
      this.#put(carried, trust);
    } catch (failure) {
      // What node:tls does not take it says by throwing: one route's trouble, and not the worker's end.
      carried.settle({ kind: "unreachable", code: (failure as NodeJS.ErrnoException).code ?? "tls" });
    }
  }

  #put(carried: Carried, trust: TlsTrust): void {
    const { request } = carried;
    const pool = this.#poolOf(request.upstream);
    const connection = this.#free(pool) ?? this.#opened(request, trust, pool);
    let id = this.#ids.next();
    while (connection.has(id)) id = this.#ids.next();
    const plain = encodeRequest({ ...request, id }, request.question);
    carried.message = padded(plain, plain.length - OPT_BYTES, QUERY_BLOCK);
    connection.carry(carried);
  }

  /** The least busy one that has room, or that must do because there may be no more. */
  #free({ connections }: Pool): TlsConnection | undefined {
    let least: TlsConnection | undefined;
    for (const connection of connections) if (least === undefined || connection.load < least.load) least = connection;
    if (least === undefined || (least.load >= BUSY && connections.size < MOST_CONNECTIONS)) return undefined;
    return least;
  }

  #opened(request: Request, trust: TlsTrust, pool: Pool): TlsConnection {
    const connection: TlsConnection = new TlsConnection(request, {
      trust,
      session: pool.session,
      onSession: (session) => (pool.session = session),
      onEnd: (left, why) => {
        pool.connections.delete(connection);
        if (connection.answers === 0) pool.session = undefined;
        for (const each of left) this.#again(each, why, connection.answers > 0, trust);
      },
    });
    pool.connections.add(connection);
    return connection;
  }

  /** A connection that has carried answers was good, and was closed for its age: the question is put once more. */
  #again(carried: Carried, why: Exchange, wasGood: boolean, trust: TlsTrust): void {
    if (!wasGood || carried.repeated || why.kind !== "unreachable") return carried.settle(why);
    carried.repeated = true;
    this.#send(carried, trust);
  }

  #poolOf(upstream: HostPort): Pool {
    const known = this.#pools.get(upstream);
    if (known !== undefined) return known;
    const pool: Pool = { connections: new Set(), session: undefined };
    this.#pools.set(upstream, pool);
    return pool;
  }
}
