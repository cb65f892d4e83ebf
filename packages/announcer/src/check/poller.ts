import { elapsed, formatDuration, scaled, type Clock, type Duration, type Timer } from "@stitch/clock";
import { failed, type CheckObserver, type PollResult, type Probe, type RouteCheck } from "./observer.ts";

export interface Pace {
  /** From the start of one poll to the start of the next. */
  readonly interval: Duration;
  /** The same while the next poll decides something: RISING or FALLING. */
  readonly fastInterval: Duration;
  /** A poll without a result after this long has failed. */
  readonly timeout: Duration;
  /** Each wait is longer or shorter by up to this share, so that the sites do not poll in step. */
  readonly jitter: number;
}

export interface PollerOptions {
  readonly probe: Probe;
  readonly pace: Pace;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly observer: CheckObserver;
}

/** Longest detail kept, in characters: it may quote what a stranger sent. */
const LONGEST_DETAIL = 256;

/**
 * Runs one probe after the other, never two at once.
 *
 * Normal: every `interval` a probe starts, ends within milliseconds, and the observer hears what it came to.
 * Hard: a probe hangs. At the timeout it has failed and is told to end. If it does not obey, no further one is started
 * (they would fill the machine over night); each turn then counts as a failure of its own.
 */
export class Poller implements RouteCheck {
  readonly #options: PollerOptions;
  #next: Timer | undefined;
  #poll: { readonly abort: AbortController; readonly deadline: Timer } | undefined;
  #outstanding = false;
  #stopped = false;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#begin();
  }

  /** Nobody waits for a poll to end. */
  release(): void {}

  stop(): void {
    this.#stopped = true;
    this.#next?.cancel();
    this.#poll?.deadline.cancel();
    this.#poll?.abort.abort();
    this.#poll = undefined;
  }

  #begin(): void {
    if (this.#stopped) return;
    const { clock, probe, pace } = this.#options;
    const began = clock.now();
    const done = (result: PollResult): void => this.#ended(elapsed(began, clock.now()), result);
    if (this.#outstanding) return done(failed("the last check has not ended yet"));
    const abort = new AbortController();
    const poll = { abort, deadline: clock.after("poll-timeout", pace.timeout, () => this.#overdue(poll, done)) };
    this.#poll = poll;
    this.#outstanding = true;
    const finish = (result: PollResult): void => {
      this.#outstanding = false;
      if (this.#poll !== poll) return; // too late: it has been counted as failed
      poll.deadline.cancel();
      this.#poll = undefined;
      done(result);
    };
    started(probe, abort.signal).then(finish, (failure: unknown) => finish(failed(describe(failure))));
  }

  /** A deadline that fires because *we* were stalled first reads what has been waiting. */
  #overdue(poll: { readonly abort: AbortController }, done: (result: PollResult) => void): void {
    setImmediate(() => {
      if (this.#poll !== poll) return;
      this.#poll = undefined;
      poll.abort.abort();
      done(failed(`no result within ${formatDuration(this.#options.pace.timeout)}`));
    });
  }

  #ended(took: Duration, { detail, ...result }: PollResult): void {
    if (this.#stopped) return;
    const { observer, pace, clock } = this.#options;
    observer.polled({ ...result, detail: detail.slice(0, LONGEST_DETAIL) });
    const interval = this.#jittered(observer.unsettled ? pace.fastInterval : pace.interval);
    const left = Math.max(0, interval - took) as Duration;
    this.#next = clock.after("poll", left, () => this.#begin());
  }

  #jittered(interval: Duration): Duration {
    const { random, pace } = this.#options;
    return scaled(interval, 1 + pace.jitter * (2 * random() - 1));
  }
}

/** A probe that throws before its first promise fails like any other. */
async function started(probe: Probe, signal: AbortSignal): Promise<PollResult> {
  return probe(signal);
}

function describe(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure);
  const { code } = failure as NodeJS.ErrnoException;
  return typeof code === "string" ? code : failure.message; // an AbortError has a number there
}
