import { milliseconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import { tickOf, type Cache } from "../cache.ts";
import { packImage, type ImageParts, type Slab } from "../cache/image.ts";
import { EXTENDED } from "../extended-error.ts";
import { isOfUse, type AliasJudge } from "../policy/alias-judge.ts";
import { REASON } from "../reasons.ts";
import { adoptName, Query } from "../wire/query.ts";
import { CLASS } from "../wire/registry.ts";
import { AnswerReader } from "./answer-reader.ts";
import { Asker } from "./asker.ts";
import { Attempts, hedgesOn, type AttemptsOptions, type Found, type NotFound } from "./attempts.ts";
import { chaserOf, Crossing, type Want } from "./crossing.ts";
import type { Alias, TtlLimits } from "./digest.ts";
import type { Exchange } from "./exchange.ts";
import { FailureCache } from "./failure-cache.ts";
import { BUSY, failed, flightOf, LOOPED, staleOutcome, turnAway } from "./flight.ts";
import type { Failed, Flight, Names, Outcome, Settle, Waiter } from "./flight.ts";
import { LoopWatch, type LoopOptions } from "./loop-watch.ts";
import { Keyed } from "./keyed.ts";
import { QuestionKey } from "./question-key.ts";
import { MOST_WAITERS, MOST_WAITING_PER_ROUTE, mostSockets, REFRESH_SHARE, sharePerRoute } from "./shares.ts";
import { socketTransport, type Transport } from "./transport.ts";
import { allDown, type Route, type Upstream } from "./upstream.ts";

/** RFC 8767 section 5: when a client gets the stale answer that there is, while the question goes on. */
const STALE_AFTER: Duration = milliseconds(1_800);
const NOW: Duration = milliseconds(0);

export interface ForwarderOptions extends TtlLimits {
  /** Forwarders of this process, among which its limits are shared out. */
  readonly workers: number;
  readonly clock: Clock;
  readonly cache: Cache;
  /** By number. */
  readonly routes: ReadonlyMap<number, Route>;
  readonly names: Names;
  /** The lists as they are when they are asked; without them every answer is kept as it is. */
  readonly lists?: () => Pick<AliasJudge, "note" | "along" | "answers">;
  /** Sockets of this machine where it is not given. */
  readonly transport?: Transport;
  /** Sockets that may be open at once, shared out among the routes; without it only the limits per route hold. */
  readonly sockets?: number;
  readonly deliver: (waiter: Waiter, outcome: Outcome) => void;
  /** Called whenever an upstream went down or came back. */
  readonly onChange: () => void;
  /** Without it nobody looks for upstreams that forward to us. */
  readonly loops?: LoopOptions;
}

/**
 * Asks upstreams. Identical questions on their way at the same time are one (CVE-2020-25686 class: several would be as
 * many chances for a forger).
 *
 * Normal: a question, one UDP exchange of a millisecond, the answer is stored and given to whoever waits.
 * Hard: the first upstream is silent. After 600 ms the second is asked; it says TC, so it is asked again over TCP; at
 * 1.8 s the clients get the expired answer that is still there, marked stale; the answer that comes later is stored.
 * Hard in another way: the answer is an alias whose name belongs to another route. That route is asked as if a client
 * had, and the two answers become one.
 */
export class Forwarder {
  /** Looks for upstreams that forward to us, where that is wanted. */
  readonly loops: LoopWatch | undefined;
  readonly counters: Asker["counters"] & { coalesced: number; crossed: number; refreshed: number };
  /** Questions of one route that may be on their way. */
  perRoute: number;
  readonly #mostWaiting: number;
  #options: ForwarderOptions;
  readonly #flights = new Keyed<Flight>();
  readonly #scratch = new Query();
  readonly #asker: Asker;
  readonly #failures: FailureCache;
  readonly #crossing: Crossing;
  readonly #attempts: AttemptsOptions<Flight>;
  #refreshing = 0;
  /** Clients whose local answer leads on. */
  #leading = 0;
  #closed = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.perRoute = sharePerRoute(options);
    this.#mostWaiting = Math.floor(MOST_WAITING_PER_ROUTE / options.workers);
    const { clock, transport = socketTransport(clock, mostSockets(options.sockets)) } = options;
    this.#failures = new FailureCache(clock);
    const want: Want = (...wanted) => this.#want(...wanted);
    this.#crossing = new Crossing(() => this.#options, this.#flights, want);
    const onChange = (cameBack: boolean): void => {
      if (cameBack) this.#failures.clear(); // what failed for its sake may be asked again
      options.onChange();
    };
    this.#asker = new Asker({
      clock,
      transport,
      routes: () => this.#options.routes.values(),
      onChange,
    });
    const reader = new AnswerReader(() => this.#options);
    this.#attempts = {
      clock,
      asker: this.#asker,
      read: (message, flight) => reader.read(message, flight),
      isClosed: () => this.#closed,
      hedges: hedgesOn(clock),
      mayHedge: (route) => route.inFlight < this.perRoute / 2,
    };
    const ask = (question: Uint8Array, upstream: Upstream): Promise<Exchange> =>
      this.#asker.askForLoop(question, upstream);
    const routes = (): Iterable<Route> => this.#options.routes.values();
    const { loops } = options;
    this.loops = loops === undefined ? undefined : new LoopWatch({ ...loops, clock, routes, ask, onChange });
    this.counters = Object.assign(this.#asker.counters, { coalesced: 0, crossed: 0, refreshed: 0 });
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
    this.loops?.restart();
    this.perRoute = sharePerRoute(this.#options);
  }

  routeAt(number: number): Route | undefined {
    return this.#options.routes.get(number);
  }

  /** The extended error of a failure for which the question is not put now. */
  failureOf(query: Query, tag: number): Uint8Array | undefined {
    return this.#failures.standing(new QuestionKey(query, tag));
  }

  /** Waits with `waiter` for the answer to `query`, which the resolver wants forwarded to `place`. */
  ask(query: Query, place: number, tag: number, waiter: Waiter): void {
    const { deliver, routes } = this.#options;
    const settle = (outcome: Outcome): void => deliver(waiter, outcome);
    if (this.loops?.catches(query) === true) return settle(LOOPED);
    const route = routes.get(place);
    if (route === undefined) void this.#leadOn(query, place, settle);
    else this.#want(query, place, route, tag, settle);
  }

  /** Local data, for a client who waits for what a route has to say at its end. */
  async #leadOn(query: Query, place: number, settle: Settle): Promise<void> {
    const local = this.#options.names.localImage(query, place);
    if (local === undefined || this.#leading >= this.#mostWaiting) return settle(BUSY);
    const chaser = chaserOf(query); // before the wait: the query is used again
    this.counters.crossed += 1;
    this.#leading += 1;
    const outcome = await this.#crossing.fromLocal(chaser, local);
    this.#leading -= 1;
    settle(outcome);
  }

  /** Asks anew for an answer that is about to expire, as long as that takes nothing from clients who wait. */
  refresh(query: Query, place: number, tag: number): void {
    const route = this.#options.routes.get(place);
    if (route === undefined || route.inFlight >= this.perRoute / 2 || allDown(route)) return;
    if (this.#refreshing >= Math.max(1, this.perRoute * REFRESH_SHARE)) return;
    const key = new QuestionKey(query, tag);
    if (this.#flights.has(key) || this.#failures.standing(key) !== undefined) return;
    this.counters.refreshed += 1;
    this.#refreshing += 1;
    const flight = this.#begin(key, query, place, route, tag, [], 0);
    void this.#fly(flight).then(() => (this.#refreshing -= 1));
  }

  /** Resolves when the sockets are closed; what is on its way comes to nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    this.loops?.close();
    await this.#asker.close();
  }

  /** The flight that `settle` waits for now; undefined when it has been turned away. */
  #want(
    query: Query,
    place: number,
    route: Route,
    tag: number,
    settle: Settle,
    crossings = 0,
    passes = false,
  ): Flight | undefined {
    const key = new QuestionKey(query, tag, passes);
    const known = this.#flights.get(key);
    if (known !== undefined) return this.#join(known, settle);
    const standing = this.#failures.standing(key);
    if (standing !== undefined) {
      const before: Failed = { kind: "failed", extended: standing, reason: REASON.failedBefore };
      return turnAway(settle, this.#staleFor(query, tag, passes), before);
    }
    if (route.inFlight >= this.perRoute || this.#isFull(route)) {
      return turnAway(settle, this.#staleFor(query, tag, passes));
    }
    const flight = this.#begin(key, query, place, route, tag, [settle], crossings, passes);
    void this.#fly(flight);
    return flight;
  }

  #join(flight: Flight, settle: Settle): Flight | undefined {
    if (flight.late || flight.waiters.length >= MOST_WAITERS || this.#isFull(flight.route)) {
      return turnAway(settle, flight.stale, flight.failure);
    }
    flight.route.waiting += 1;
    this.counters.coalesced += 1;
    flight.waiters.push(settle);
    return flight;
  }

  #isFull({ waiting }: Route): boolean {
    return waiting >= this.#mostWaiting;
  }

  #begin(
    key: QuestionKey,
    query: Query,
    place: number,
    route: Route,
    tag: number,
    waiters: Settle[],
    crossings: number,
    passes = false,
  ): Flight {
    const stale = this.#staleFor(query, tag, passes);
    const flight = flightOf(query, { key, place, route, tag, waiters, crossings, passes, stale });
    this.#flights.set(key, flight);
    route.inFlight += 1;
    route.waiting += waiters.length;
    return flight;
  }

  #staleFor(query: Query, tag: number, passes: boolean): Slab | undefined {
    const { cache, clock, lists } = this.#options;
    const at = cache.find(query, tag, tickOf(clock.now()));
    return at >= 0 && isOfUse(cache.slab, at, passes, lists?.()) ? cache.copy(at) : undefined;
  }

  async #fly(flight: Flight): Promise<void> {
    const { stale } = flight;
    const early = stale === undefined ? undefined : this.#settleEarly(flight, stale);
    const attempts = new Attempts(this.#attempts, flight);
    const found = await attempts.found;
    const outcome = await this.#outcome(flight, found);
    this.#remember(flight, found, outcome);
    early?.cancel();
    if (outcome.kind === "image") this.#land(flight);
    const useStale = outcome.kind === "failed" && stale !== undefined;
    this.#settle(flight, useStale ? staleOutcome(stale) : outcome);
    if (outcome.kind === "failed") await this.#lateAnswer(flight, outcome, attempts);
  }

  /** What has expired is better than nothing, after a while; with nobody up there is nothing to wait for, though one question may still try. */
  #settleEarly(flight: Flight, stale: Slab): Timer {
    const wait = allDown(flight.route) ? NOW : STALE_AFTER;
    return this.#options.clock.after("stale-answer", wait, () => {
      flight.late = true;
      this.#settle(flight, staleOutcome(stale));
    });
  }

  #land(flight: Flight): void {
    flight.route.inFlight -= 1;
    this.#flights.delete(flight.key);
  }

  /** Clients have their answer; what comes now is for those who come later. Until then the question is not put again. */
  async #lateAnswer(flight: Flight, outcome: Failed, attempts: Attempts<Flight>): Promise<void> {
    flight.late = true;
    flight.failure = { ...outcome, reason: REASON.failedBefore };
    const found = await attempts.late;
    this.#land(flight);
    if (found === undefined) return;
    this.#remember(flight, found, await this.#outcome(flight, found));
  }

  #settle(flight: Flight, outcome: Outcome): void {
    const { waiters } = flight;
    flight.waiters = [];
    flight.route.waiting -= waiters.length;
    for (const settle of waiters) settle(outcome);
  }

  /** Failures are remembered until there is an answer. */
  #remember(flight: Flight, found: Found | NotFound, outcome: Outcome): void {
    if (outcome.kind === "image" && !outcome.stale) this.#failures.answered(flight.key);
    const isOurs = found.kind === "not-found" && found.ours;
    if (outcome.kind === "failed" && outcome.reason === REASON.upstreamFailed && !isOurs) {
      this.#failures.failed(flight.key, outcome.extended, flight.stale !== undefined);
    }
  }

  /** What came of a flight; answers are stored. */
  #outcome(flight: Flight, found: Found | NotFound): Outcome | Promise<Outcome> {
    switch (found.kind) {
      case "not-found":
        return failed(found.extended);
      case "loop":
        return failed(EXTENDED.aliasLoop);
      case "alias":
        return this.#followed(flight, found.alias);
      case "answer":
        return this.#stored(flight, found.parts, found.ttl);
    }
  }

  #stored({ question, nameLength, type, tag, route }: Flight, parts: ImageParts, ttl: number): Outcome {
    const { cache, clock } = this.#options;
    const image = packImage(parts, tag);
    this.#options.lists?.().note(image);
    if (parts.aliased === true) route.aliased = true;
    if (ttl > 0) {
      adoptName(this.#scratch, question.subarray(0, nameLength), type, CLASS.IN);
      cache.store(image, this.#scratch, tag, tickOf(clock.now()), ttl);
    }
    return { kind: "image", image, stale: false, ttl, age: 0 };
  }

  async #followed(flight: Flight, alias: Alias): Promise<Outcome> {
    // Before the wait: a reload meanwhile must know.
    if (alias.within) flight.route.aliased = true;
    else {
      this.counters.crossed += 1;
      flight.route.crossed = true;
    }
    const whole = await this.#crossing.complete(flight, alias);
    if (whole.kind === "failed") return whole;
    const outcome = this.#stored(flight, whole.parts, whole.ttl);
    return { ...outcome, stale: whole.stale } as Outcome;
  }
}
