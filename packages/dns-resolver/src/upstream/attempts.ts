import { milliseconds, seconds, type Clock, type Duration } from "@stitch/clock";
import { extendedError } from "../extended-error.ts";
import type { Message } from "../wire/message.ts";
import { EDE } from "../wire/registry.ts";
import type { About, Asker } from "./asker.ts";
import { Dated, Deadlines } from "./deadlines.ts";
import type { Digest } from "./digest.ts";
import type { Asking, Exchange } from "./exchange.ts";
import { allDown, allLooping, pick, spare, type Route, type Upstream } from "./upstream.ts";

/** How long each attempt waits, in order; with TCP after them still below the 5 s that clients wait. */
const ATTEMPT_LIMITS: readonly Duration[] = [milliseconds(600), milliseconds(1_000), milliseconds(1_400)];
/** How long an answer is still taken after that: nobody waits for it any more, but the next client will want it. */
const LATE: Duration = seconds(2);

export type Found = Exclude<Digest, { kind: "useless" }>;
/** `ours`: for want of something in this machine, which says nothing about the question. */
export interface NotFound {
  readonly kind: "not-found";
  readonly extended: Uint8Array;
  readonly ours: boolean;
}

/** A question, and whose upstreams may answer it. */
export interface Asked extends About {
  readonly route: Route;
}

/** What the attempts of all questions share: one object for all of them, for thousands begin in a second. */
export interface AttemptsOptions<A extends Asked> {
  readonly clock: Clock;
  readonly asker: Asker;
  readonly read: (message: Message, about: A) => Digest;
  readonly isClosed: () => boolean;
  readonly hedges: Deadlines<Attempt>;
  /** Whether there is room to ask two upstreams of the route at once. */
  readonly mayHedge: (route: Route) => boolean;
}

/** One question to one upstream; its deadline is the end of our patience, at which somebody else is asked as well. */
class Attempt extends Dated {
  readonly of: Pick<Attempts<Asked>, "hedge">;
  readonly upstream: Upstream;
  /** Within its limit: as long as one is, no other begins but a hedge. */
  pending = true;
  /** Until it has come to its end, or its upstream is asked again. */
  asking: Asking | undefined;

  constructor(of: Pick<Attempts<Asked>, "hedge">, upstream: Upstream) {
    super();
    this.of = of;
    this.upstream = upstream;
  }
}

/** When attempts have taken long enough to hedge, those of all questions. */
export function hedgesOn(clock: Clock): Deadlines<Attempt> {
  return new Deadlines<Attempt>(clock, "hedge", ({ of, upstream }) => of.hedge(upstream));
}

/**
 * Asks the upstreams of a route until one has an answer.
 *
 * Normal: the first one answers. Slow: it takes longer than nearly all of its answers did; another is asked as well, once, and
 * whoever answers first is taken (a hedge). Hard: nobody answers within the limits, which is the end for those who wait;
 * the last questions stay open for a while, and what comes is `late`.
 */
export class Attempts<A extends Asked> {
  readonly #options: AttemptsOptions<A>;
  readonly #about: A;
  readonly #found = Promise.withResolvers<Found | NotFound>();
  /** Made when somebody waits for it: nearly every question is answered in time. */
  #late: PromiseWithResolvers<Found | undefined> | undefined;
  #lateFound: Found | undefined;
  readonly #attempts: Attempt[] = [];
  #pending = 0;
  #settled = false;
  #failure: Omit<NotFound, "kind">;

  constructor(options: AttemptsOptions<A>, about: A) {
    this.#options = options;
    this.#about = about;
    this.#failure = allLooping(about.route) ? IN_A_LOOP : NOBODY;
    this.#next();
  }

  get found(): Promise<Found | NotFound> {
    return this.#found.promise;
  }

  /** After `found` came to nothing: an answer that came all the same, or undefined once none can come any more. */
  get late(): Promise<Found | undefined> {
    this.#late ??= Promise.withResolvers();
    if (this.#lateFound !== undefined || !this.#isOpen) this.#late.resolve(this.#lateFound);
    return this.#late.promise;
  }

  /** Some question has not come to its end. */
  get #isOpen(): boolean {
    return this.#attempts.some(({ asking }) => asking !== undefined);
  }

  get #tried(): Upstream[] {
    return this.#attempts.map(({ upstream }) => upstream);
  }

  #next(): void {
    const { isClosed } = this.#options;
    const { route } = this.#about;
    const limit = ATTEMPT_LIMITS[this.#attempts.length];
    const over = limit === undefined || isClosed() || (this.#attempts.length > 0 && allDown(route));
    const upstream = over ? undefined : pick(route, this.#tried);
    if (upstream === undefined || limit === undefined) return this.#fail();
    this.#ask(upstream, limit);
  }

  /** `slow` has taken longer than nearly all of its answers did. */
  hedge(slow: Upstream): void {
    const { asker, isClosed, mayHedge } = this.#options;
    const { route } = this.#about;
    const limit = ATTEMPT_LIMITS[this.#attempts.length];
    const other = spare(route, this.#tried);
    if (this.#settled || other === undefined || limit === undefined || isClosed() || !mayHedge(route)) return;
    if (!slow.pace.takeHedge()) return;
    asker.counters.hedged += 1;
    this.#ask(other, limit);
  }

  #ask(upstream: Upstream, limit: Duration): void {
    const earlier = this.#attempts.filter((each) => each.upstream === upstream);
    // Of one server a question is open once: two would be twice the chance for a forger (CVE-2025-5994 class).
    for (const each of earlier) giveUp(each);
    const attempt = new Attempt(this, upstream);
    this.#begin(attempt, limit);
    this.#pending += 1;
    const kind = earlier.length > 0 ? "again" : "question";
    const onOverdue = (): void => this.#failed(attempt, WHY.timeout, EDE.NO_REACHABLE_AUTHORITY, false);
    const asking = this.#options.asker.ask(this.#about, upstream, { limit, late: LATE, kind, onOverdue });
    attempt.asking = asking;
    void asking.result.then((result) => this.#ended(attempt, result));
  }

  /** Our patience ends with the first attempt's, where somebody else could be asked and enough is known about this upstream. */
  #begin(attempt: Attempt, limit: Duration): void {
    const { pace } = attempt.upstream;
    pace.asked();
    this.#attempts.push(attempt);
    if (this.#attempts.length > 1 || this.#about.route.upstreams.length === 1) return;
    const { patience } = pace;
    if (patience !== undefined && patience < limit) this.#options.hedges.begin(attempt, patience);
  }

  #ended(attempt: Attempt, result: Exchange): void {
    attempt.asking = undefined;
    this.#options.hedges.end(attempt);
    const found = this.#read(result);
    if (found.kind !== "useless") this.#take(found);
    else {
      const cut = result.kind === "unreachable" || result.kind === "untrusted";
      const code = cut ? EDE.NETWORK_ERROR : EDE.NO_REACHABLE_AUTHORITY;
      this.#failed(attempt, found.why, code, result.kind === "no-socket");
    }
    if (this.#settled && !this.#isOpen) this.#late?.resolve(undefined);
  }

  #read(result: Exchange): Digest {
    if (result.kind !== "answer") return { kind: "useless", why: WHY[result.kind] };
    const found = this.#options.read(result.message, this.#about);
    if (found.kind === "useless") this.#options.asker.counters.useless += 1;
    return found;
  }

  #take(found: Found): void {
    if (this.#settled) this.#lateAnswer(found);
    this.#settled = true;
    this.#found.resolve(found);
  }

  #lateAnswer(found: Found): void {
    this.#lateFound ??= found;
    this.#late?.resolve(found);
  }

  #failed(attempt: Attempt, why: string, code: number, ours: boolean): void {
    if (!attempt.pending) return;
    attempt.pending = false;
    this.#options.hedges.end(attempt);
    this.#pending -= 1;
    attempt.upstream.lastFailure = { at: this.#options.clock.now(), why };
    this.#failure = { extended: extendedError(code, `${attempt.upstream.target.address} ${why}`), ours };
    if (this.#pending === 0 && !this.#settled) this.#next();
  }

  #fail(): void {
    const { extended, ours } = this.#failure;
    this.#settled = true;
    this.#found.resolve({ kind: "not-found", extended, ours: ours || this.#options.isClosed() });
  }
}

function giveUp(attempt: Attempt): void {
  const { asking } = attempt;
  attempt.asking = undefined;
  asking?.end();
}

const NOBODY = {
  extended: extendedError(EDE.NO_REACHABLE_AUTHORITY, "every upstream of this route is down"),
  ours: false,
};

const IN_A_LOOP = {
  extended: extendedError(EDE.NO_REACHABLE_AUTHORITY, "every upstream of this route forwards to us: a loop"),
  ours: false,
};

const WHY = {
  truncated: "truncated its answer over TCP",
  malformed: "sent an answer that cannot be read",
  "no-edns": "answered FORMERR",
  "case-changed": "changed the case of the name",
  "near-misses": "sent what was no answer",
  timeout: "did not answer in time",
  unreachable: "cannot be reached",
  untrusted: "has no certificate of its name, or not the pinned key",
  "no-socket": "could not be asked: this machine has no socket left",
} as const;
