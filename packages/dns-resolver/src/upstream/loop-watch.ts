import { elapsed, later, milliseconds, minutes, scaled, seconds } from "@stitch/clock";
import type { Clock, Duration, Instant, Timer } from "@stitch/clock";
import { formatEndpoint } from "@stitch/linux-io";
import { adoptName, Query } from "../wire/query.ts";
import { CLASS, RCODE, TYPE } from "../wire/registry.ts";
import type { Exchange } from "./exchange.ts";
import { LoopTokens, nameWith } from "./loop-tokens.ts";
import { RandomIds } from "./random-ids.ts";
import type { Route, Upstream } from "./upstream.ts";

/** How long a question of ours may be on its way round; after that who sends its name again proves nothing. */
export const TOKEN_LIFE: Duration = seconds(5);
/** How often every upstream is asked; sooner, doubling, as long as it has no answer: who starts later may close the loop ... */
export const WATCH: Duration = seconds(60);
export const FIRST: Duration = seconds(5);
/** ... and one that is out because of a loop. */
export const RETRY: Duration = seconds(30);
const TICK: Duration = milliseconds(500);
/** Questions at one tick: a site with a thousand upstreams does not ask all of them at once. */
const MOST_AT_ONCE = 16;
/** An upstream says its own tokens as often as it likes; the worker that asks hears of so many. */
const TELL_EVERY: Duration = milliseconds(10);
/** A loop that comes and goes is logged so often. */
const LOG_EVERY: Duration = minutes(10);

export interface LoopOptions {
  /** See LoopTokens. */
  readonly key: Uint8Array;
  /**
   * One worker asks, for all: were each to find out for itself, one that has would hide the loop from the others, whose
   * questions no longer come round.
   */
  readonly asks: boolean;
  /** An upstream forwards to us, for the log. */
  readonly onFound: (upstream: Upstream, route: Route) => void;
  /** A token came back to a worker that has not sent it. */
  readonly onOther: (token: string) => void;
  /** Who is left out now, for the other workers. */
  readonly onVerdict: (looping: readonly string[]) => void;
}

export interface LoopWatchOptions extends LoopOptions {
  readonly clock: Clock;
  readonly routes: () => Iterable<Route>;
  readonly ask: (question: Uint8Array, upstream: Upstream) => Promise<Exchange>;
  /** Called whenever an upstream is taken out or comes back. */
  readonly onChange: (cameBack: boolean) => void;
}

/** A question that looks for a loop. */
interface Sent {
  readonly upstream: Upstream;
  readonly route: Route;
  readonly at: Instant;
  /** The upstream had an answer of its own, so that it asks somebody else than us. */
  answered: boolean;
  cameBack: boolean;
}

/** What is known of an upstream. */
interface Watched {
  due: Instant;
  /** Until the next time, if there is no answer. */
  wait: Duration;
  loggedAt: Instant | undefined;
}

/**
 * Finds upstreams that forward to us what we forward to them, and takes out those alone. Each is asked now and then for a
 * name that nobody else can know. Normal: it has no such name. Hard: the question comes back, to this worker or to another
 * one, over one server or several; from then on no worker asks that upstream. Again and again it is tried with such a name:
 * it is back when its answer is not SERVFAIL, and the question has not come round.
 */
export class LoopWatch {
  readonly #options: LoopWatchOptions;
  readonly #tokens: LoopTokens;
  readonly #random = new RandomIds();
  readonly #scratch = new Query();
  /** By token; bounded by what one tick sends and TOKEN_LIFE. */
  readonly #sent = new Map<string, Sent>();
  readonly #watched = new WeakMap<Upstream, Watched>();
  readonly #timer: Timer | undefined;
  #toldAt: Instant | undefined;

  constructor(options: LoopWatchOptions) {
    this.#options = options;
    this.#tokens = new LoopTokens(options.key);
    if (options.asks) this.#timer = options.clock.every("loop-watch", TICK, () => this.#tick());
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Every upstream is asked anew soon: what a reload has changed may close a loop, or end one. */
  restart(): void {
    const { clock, routes } = this.#options;
    for (const route of routes()) for (const upstream of route.upstreams) this.#of(upstream).due = clock.now();
  }

  /** Leaves out these alone, as the worker that asks says. */
  leaveOut(looping: readonly string[]): void {
    if (this.#options.asks) return; // it has said so, and may know more by now
    const out = new Set(looping);
    for (const route of this.#options.routes()) {
      for (const upstream of route.upstreams) this.#set(upstream, out.has(keyOf(route, upstream)));
    }
  }

  /** Whether `query` is a question of ours, of any worker, that has come back. */
  catches(query: Query): boolean {
    const token = this.#tokens.tokenIn(query);
    if (token === undefined) return false;
    if (!this.cameBack(token)) this.#tellOthers(token);
    return true;
  }

  /** False when it is not of this worker, or too old to prove anything. */
  cameBack(token: string): boolean {
    const sent = this.#sent.get(token);
    if (sent === undefined) return false;
    // What others say that are on their way counts no more: a reload asks twice within a token's life.
    for (const each of this.#sent.values()) if (each.upstream === sent.upstream) each.cameBack = true;
    this.#takeOut(sent);
    return true;
  }

  #takeOut({ upstream, route }: Sent): void {
    const watched = this.#of(upstream);
    const now = this.#options.clock.now();
    if (!upstream.looping) {
      watched.due = this.#next(RETRY);
      this.#judge(upstream, true);
    }
    if (watched.loggedAt !== undefined && elapsed(watched.loggedAt, now) < LOG_EVERY) return;
    watched.loggedAt = now;
    this.#options.onFound(upstream, route);
  }

  #judge(upstream: Upstream, looping: boolean): void {
    this.#set(upstream, looping);
    const routes = [...this.#options.routes()];
    const all = routes.flatMap((route) => route.upstreams.map((each) => ({ key: keyOf(route, each), each })));
    this.#options.onVerdict(all.filter(({ each }) => each.looping).map(({ key }) => key));
  }

  #set(upstream: Upstream, looping: boolean): void {
    const wasDown = upstream.down;
    upstream.looping = looping;
    if (upstream.down !== wasDown) this.#options.onChange(wasDown);
  }

  #tellOthers(token: string): void {
    const now = this.#options.clock.now();
    if (this.#toldAt !== undefined && elapsed(this.#toldAt, now) < TELL_EVERY) return;
    this.#toldAt = now;
    this.#options.onOther(token);
  }

  #tick(): void {
    for (const [token, sent] of this.#sent) {
      if (elapsed(sent.at, this.#options.clock.now()) < TOKEN_LIFE) continue;
      this.#sent.delete(token);
      if (sent.upstream.looping && sent.answered && !sent.cameBack) this.#judge(sent.upstream, false);
    }
    let room = MOST_AT_ONCE;
    for (const route of this.#options.routes()) {
      for (const upstream of route.upstreams) {
        if (room === 0) return;
        if (this.#isDue(upstream)) room -= this.#ask(upstream, route);
      }
    }
  }

  /** One that is down is asked when it is back. */
  #isDue(upstream: Upstream): boolean {
    return this.#options.clock.now() >= this.#of(upstream).due && (upstream.looping || !upstream.down);
  }

  /** Questions sent: one, or none where there is no room for the name. */
  #ask(upstream: Upstream, route: Route): number {
    const { ask, clock } = this.#options;
    const at = clock.now();
    const watched = this.#of(upstream);
    watched.due = this.#next(upstream.looping ? RETRY : watched.wait);
    watched.wait = Math.min(WATCH, scaled(watched.wait, 2)) as Duration;
    const token = this.#tokens.draw();
    const name = nameWith(token, route.name);
    if (name === undefined) return 0;
    const sent: Sent = { upstream, route, at, answered: false, cameBack: false };
    this.#sent.set(token, sent);
    adoptName(this.#scratch, name, TYPE.TXT, CLASS.IN);
    const question = this.#scratch.key.slice(0, this.#scratch.keyLength);
    void ask(question, upstream).then((exchange) => this.#answered(sent, exchange));
    return 1;
  }

  #answered(sent: Sent, exchange: Exchange): void {
    sent.answered = isAnswer(exchange);
    const { upstream } = sent;
    if (!sent.answered || upstream.looping) return;
    const watched = this.#of(upstream);
    watched.due = this.#next(WATCH);
    watched.wait = FIRST;
  }

  /** A quarter more or less, by chance: two sites that forward to each other must not try again at one moment for ever. */
  #next(wait: Duration): Instant {
    const share = 0.75 + this.#random.next() / 2 ** 17;
    return later(this.#options.clock.now(), scaled(wait, share));
  }

  #of(upstream: Upstream): Watched {
    let watched = this.#watched.get(upstream);
    if (watched === undefined) {
      watched = { due: this.#options.clock.now(), wait: FIRST, loggedAt: undefined };
      this.#watched.set(upstream, watched);
    }
    return watched;
  }
}

/** The same in every worker. */
function keyOf({ zone }: Route, { target }: Upstream): string {
  return `${zone} ${formatEndpoint(target)}`;
}

/** SERVFAIL is what servers say who are in a loop themselves. */
function isAnswer(exchange: Exchange): boolean {
  return exchange.kind === "answer" && exchange.message.rcode !== RCODE.SERVFAIL;
}
