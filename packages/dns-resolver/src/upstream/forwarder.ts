import { milliseconds, seconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";
import { tickOf, type Cache } from "../cache.ts";
import { packImage, type Slab } from "../cache/image.ts";
import { EXTENDED, extendedError } from "../extended-error.ts";
import { REASON, type ReasonCode } from "../reasons.ts";
import { CD } from "../wire/header.ts";
import { adoptName, Query } from "../wire/query.ts";
import { CLASS, EDE, TYPE } from "../wire/registry.ts";
import { digest, type TtlLimits } from "./digest.ts";
import type { Exchange, Request } from "./exchange.ts";
import { FailureCache } from "./failure-cache.ts";
import { MixedCase } from "./mixed-case.ts";
import { RandomIds } from "./random-ids.ts";
import { exchangeTcp } from "./tcp-exchange.ts";
import { UdpExchanges } from "./udp-exchange.ts";
import { allDown, pick, type Route, type Upstream } from "./upstream.ts";
import { OVER_TCP, WHY, type Kind } from "./why.ts";

/** How long each attempt waits, in order; with TCP after them still below the 5 s that clients wait. */
const ATTEMPT_LIMITS: readonly Duration[] = [milliseconds(600), milliseconds(1_000), milliseconds(1_400)];
const TCP_LIMIT: Duration = seconds(1);
/** RFC 8767 section 5: when a client gets the stale answer that there is, while the question goes on. */
const STALE_AFTER: Duration = milliseconds(1_800);
const PROBE_TICK: Duration = milliseconds(500);
/** Questions on their way per route: one dead route must not take the sockets and memory of the others. */
const MOST_PER_ROUTE = 2_000;
/** Of all routes together, however many: an address has no more ports. Further questions come to `no-socket`. */
const MOST_SOCKETS = 65_536;
/** Beside the questions of clients: upstreams that are down are asked for their zone, one question at a time each. */
const SOCKETS_FOR_PROBES = 64;
/** Clients that wait for one answer: a flood of one name costs this many small records, no more. */
const MOST_WAITERS = 64;
/** And for one route: with copies of their queries, up to 2 KiB each, about 10 MB. */
const MOST_WAITING_PER_ROUTE = 4_000;

/** The share of one worker. */
export function mostPerRoute(workers: number): number {
  return Math.floor(MOST_PER_ROUTE / workers);
}

/** A client's query that waits, as it came, and how to answer it. */
export interface Waiter {
  readonly query: Uint8Array;
  /** The client's endpoint record. */
  readonly peer: Uint8Array;
  readonly tcp: boolean;
  readonly reply: (message: Uint8Array) => void;
}

export type Outcome =
  | { readonly kind: "image"; readonly image: Slab; readonly stale: boolean }
  | { readonly kind: "failed"; readonly extended: Uint8Array; readonly reason: ReasonCode };

export interface ForwarderOptions extends TtlLimits {
  /** Forwarders of this process, among which its limits are shared out. */
  readonly workers: number;
  readonly clock: Clock;
  readonly cache: Cache;
  /** By number. */
  readonly routes: ReadonlyMap<number, Route>;
  /** Sockets that may be open at once, shared out among the routes; without it only the limits per route hold. */
  readonly sockets?: number;
  readonly deliver: (waiter: Waiter, outcome: Outcome) => void;
  /** Called whenever an upstream went down or came back. */
  readonly onChange: () => void;
}

interface Flight {
  readonly key: string;
  readonly tag: number;
  readonly route: Route;
  readonly question: Uint8Array;
  readonly nameLength: number;
  readonly type: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly stale: Slab | undefined;
  waiters: Waiter[];
  /** Those who came in time have got the stale answer; who comes now gets it at once. */
  late: boolean;
}

/**
 * Asks upstreams. Identical questions on their way at the same time are one (CVE-2020-25686 class: several would be as
 * many chances for a forger).
 *
 * Normal: a question, one UDP exchange of a millisecond, the answer is stored and given to whoever waits.
 * Hard: the first upstream is silent. After 600 ms the second is asked; it says TC, so it is asked again over TCP; at
 * 1.8 s the clients get the expired answer that is still there, marked stale; the answer that comes later is stored.
 */
export class Forwarder {
  readonly counters = {
    exchanges: 0,
    overTcp: 0,
    coalesced: 0,
    ignored: 0,
    nearMisses: 0,
    caseChanged: 0,
    timeouts: 0,
    unreachable: 0,
    useless: 0,
  };
  /** Questions of one route that may be on their way. */
  perRoute = 0;
  readonly #mostWaiting: number;
  #options: ForwarderOptions;
  readonly #flights = new Map<string, Flight>();
  readonly #ids = new RandomIds();
  readonly #mixedCase = new MixedCase();
  readonly #scratch = new Query();
  readonly #probe: Timer;
  readonly #udp: UdpExchanges;
  readonly #failures: FailureCache;
  #closed = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#share();
    this.#mostWaiting = Math.floor(MOST_WAITING_PER_ROUTE / options.workers);
    const sockets = options.sockets ?? MOST_SOCKETS;
    this.#udp = new UdpExchanges(options.clock, Math.max(1, Math.min(MOST_SOCKETS, sockets + SOCKETS_FOR_PROBES)));
    this.#failures = new FailureCache(options.clock);
    this.#probe = options.clock.every("upstream-probe", PROBE_TICK, () => this.#probeDown());
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  /** Share of the busiest route's budget that is in use. */
  get load(): number {
    let most = 0;
    for (const { inFlight } of this.#options.routes.values()) most = Math.max(most, inFlight);
    return most / this.perRoute;
  }

  /**
   * Routes and limits from now on. Questions on their way to others go on, and come to an end for those who wait; what is
   * known of failures is not carried over, for a reload is how an operator mends them.
   */
  adopt(routes: ReadonlyMap<number, Route>, limits: TtlLimits): void {
    this.#options = { ...this.#options, routes, ...limits };
    this.#failures.clear();
    this.#share();
  }

  /** Shares the sockets out: with many routes each has fewer. */
  #share(): void {
    const { routes, sockets = Infinity, workers } = this.#options;
    const each = sockets / Math.max(1, routes.size);
    this.perRoute = Math.max(1, Math.floor(Math.min(mostPerRoute(workers), each)));
  }

  /** Waits with `waiter` for the answer to `query`, which the resolver wants forwarded to `place`. */
  ask(query: Query, place: number, tag: number, waiter: Waiter): void {
    const route = this.#options.routes.get(place);
    if (route === undefined) return;
    const key = `${tag} ${Buffer.from(query.key.buffer, query.key.byteOffset, query.keyLength).toString("latin1")}`;
    const known = this.#flights.get(key);
    if (known !== undefined) return this.#join(known, waiter);
    const failed = this.#failures.standing(key);
    if (failed !== undefined) {
      const before = { kind: "failed", extended: failed, reason: REASON.failedBefore } as const;
      this.#turnAway(waiter, this.#staleFor(query, tag), before);
    } else if (route.inFlight >= this.perRoute || this.#isFull(route))
      this.#turnAway(waiter, this.#staleFor(query, tag));
    else void this.#fly(this.#begin(key, tag, route, query, waiter));
  }

  /** Resolves when the sockets are closed; what is on its way comes to nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#probe.cancel();
    await this.#udp.close();
  }

  #join(flight: Flight, waiter: Waiter): void {
    if (flight.late || flight.waiters.length >= MOST_WAITERS || this.#isFull(flight.route)) {
      return this.#turnAway(waiter, flight.stale);
    }
    flight.route.waiting += 1;
    this.counters.coalesced += 1;
    flight.waiters.push(waiter);
  }

  #isFull({ waiting }: Route): boolean {
    return waiting >= this.#mostWaiting;
  }

  #turnAway(waiter: Waiter, stale: Slab | undefined, otherwise: Outcome = BUSY): void {
    this.#options.deliver(waiter, stale === undefined ? otherwise : { kind: "image", image: stale, stale: true });
  }

  #begin(key: string, tag: number, route: Route, query: Query, waiter: Waiter): Flight {
    const flight: Flight = {
      key,
      tag,
      route,
      question: query.key.slice(0, query.keyLength),
      nameLength: query.nameLength,
      type: query.type,
      dnssecOk: query.dnssecOk,
      checkingDisabled: (query.lowFlags & CD) !== 0,
      stale: this.#staleFor(query, tag),
      waiters: [waiter],
      late: false,
    };
    this.#flights.set(key, flight);
    route.inFlight += 1;
    route.waiting += 1;
    return flight;
  }

  #staleFor(query: Query, tag: number): Slab | undefined {
    const { cache, clock } = this.#options;
    const at = cache.find(query, tag, tickOf(clock.now()));
    return at < 0 ? undefined : cache.copy(at);
  }

  async #fly(flight: Flight): Promise<void> {
    const { stale } = flight;
    const early =
      stale === undefined
        ? undefined
        : this.#options.clock.after("stale-answer", STALE_AFTER, () => {
            flight.late = true;
            this.#settle(flight, { kind: "image", image: stale, stale: true });
          });
    const outcome = await this.#attempts(flight);
    early?.cancel();
    flight.route.inFlight -= 1;
    this.#flights.delete(flight.key);
    if (outcome.kind === "image") this.#failures.answered(flight.key);
    const useStale = outcome.kind === "failed" && stale !== undefined;
    this.#settle(flight, useStale ? { kind: "image", image: stale, stale: true } : outcome);
  }

  #settle(flight: Flight, outcome: Outcome): void {
    const { waiters } = flight;
    flight.waiters = [];
    flight.route.waiting -= waiters.length;
    for (const waiter of waiters) this.#options.deliver(waiter, outcome);
  }

  async #attempts(flight: Flight): Promise<Outcome> {
    const tried: Upstream[] = [];
    let why = "every upstream of this route is down";
    let code: number = EDE.NO_REACHABLE_AUTHORITY;
    let ours = false;
    for (const limit of ATTEMPT_LIMITS) {
      const upstream = pick(flight.route, tried);
      if (upstream === undefined || this.#closed) break;
      const again = tried.includes(upstream);
      tried.push(upstream);
      const result = await this.#exchange(flight, upstream, limit, again ? "again" : "question");
      const read = this.#read(flight, result);
      if (read.kind === "image") return read;
      why = `${upstream.target.address} ${read.why}`;
      ours = result.kind === "no-socket";
      code = result.kind === "unreachable" ? EDE.NETWORK_ERROR : EDE.NO_REACHABLE_AUTHORITY;
      if (allDown(flight.route)) break;
    }
    const extended = extendedError(code, why);
    if (!ours && !this.#closed) this.#failures.failed(flight.key, extended);
    return { kind: "failed", extended, reason: REASON.upstreamFailed };
  }

  /** An answer is stored and is the outcome; anything else is a reason to ask the next. */
  #read(
    flight: Flight,
    result: Exchange,
  ): (Outcome & { kind: "image" }) | { readonly kind: "next"; readonly why: string } {
    if (result.kind !== "answer") return { kind: "next", why: WHY[result.kind] };
    const { cache, clock } = this.#options;
    const found = digest(result.message, flight.dnssecOk, this.#options);
    if (found.kind === "useless") {
      this.counters.useless += 1;
      return { kind: "next", why: found.why };
    }
    const image = packImage(found.parts, flight.tag);
    if (found.ttl > 0) {
      adoptName(this.#scratch, flight.question.subarray(0, flight.nameLength), flight.type, CLASS.IN);
      cache.store(image, this.#scratch, flight.tag, tickOf(clock.now()), found.ttl);
    }
    return { kind: "image", image, stale: false };
  }

  async #exchange(
    about: Pick<Flight, "question" | "dnssecOk" | "checkingDisabled">,
    upstream: Upstream,
    limit: Duration,
    kind: Kind,
  ): Promise<Exchange> {
    const { clock } = this.#options;
    const { target, source } = upstream;
    const { question, dnssecOk, checkingDisabled } = about;
    const onIgnored = (): void => void (this.counters.ignored += 1);
    const { mixedCase } = upstream;
    const request = { upstream: target, source, question, mixedCase, dnssecOk, checkingDisabled, clock, onIgnored };
    const sent = clock.now();
    const probing = upstream.down || kind === "probe";
    if (probing) upstream.probing = true;
    this.counters.exchanges += 1;
    const result = await this.#udp.exchange({ ...request, id: this.#ids.next(), limit } satisfies Request);
    if (probing) upstream.probing = false;
    this.#judge(upstream, result, sent, kind);
    if (!OVER_TCP.has(result.kind)) return result;
    // What comes of this says nothing about the upstream, which has answered: TCP may be filtered on the way.
    this.counters.overTcp += 1;
    if (result.kind === "near-misses") this.counters.nearMisses += 1;
    const asked = mixedCase ? this.#mixedCase.mix(question) : question;
    const tcp = { ...request, id: this.#ids.next(), limit: TCP_LIMIT } satisfies Request;
    const { exchange, caseChanged } = await exchangeTcp(tcp, asked);
    if (result.kind === "case-changed") {
      this.counters.caseChanged += 1;
      // One forged datagram brings us here; only what the upstream itself does over TCP may end mixed case.
      if (exchange.kind === "answer" && caseChanged) upstream.mixedCase = false;
    }
    return exchange;
  }

  #judge(upstream: Upstream, result: Exchange, sent: Instant, kind: Kind): void {
    if (result.kind === "no-socket") return;
    const wasDown = upstream.down;
    if (result.kind === "timeout") this.counters.timeouts += 1;
    if (result.kind === "unreachable") this.counters.unreachable += 1;
    if (result.kind !== "timeout" && result.kind !== "unreachable") upstream.succeeded();
    else if (kind !== "again") upstream.failed(sent, kind === "probe" || result.kind === "unreachable");
    if (upstream.down === wasDown) return;
    if (wasDown) this.#failures.clear(); // what failed for its sake may be asked again
    this.#options.onChange();
  }

  /** Asks upstreams that are suspected or down for the SOA of their zone, now and then: so they come back by themselves. */
  #probeDown(): void {
    this.#udp.tidy();
    for (const route of this.#options.routes.values()) {
      for (const upstream of route.upstreams) {
        if (!upstream.probeDue) continue;
        adoptName(this.#scratch, route.name, TYPE.SOA, CLASS.IN);
        const question = this.#scratch.key.slice(0, this.#scratch.keyLength);
        void this.#exchange({ question, dnssecOk: false, checkingDisabled: false }, upstream, seconds(1), "probe");
      }
    }
  }
}

const BUSY: Outcome = { kind: "failed", extended: EXTENDED.busy, reason: REASON.upstreamBusy };
