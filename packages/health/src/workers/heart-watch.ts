import { elapsed, milliseconds, seconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";
import type { Health } from "../health.ts";
import type { SelfCheckReason } from "../reasons.ts";

/** How often the hearts are looked at. */
const HEART_LOOK: Duration = milliseconds(50);
/**
 * A worker whose heart has not moved for this long is hung: eight beats. With one beat, one look and the announcer's
 * part it stays below the 0.7 s in which the route of a hung service must be gone; and no collection of garbage, no
 * neighbour on the machine takes that long.
 */
export const HUNG_AFTER: Duration = milliseconds(400);
/** A worker that hangs for this long will not come back: the process ends, and a supervisor starts one that serves. */
const GIVEN_UP_AFTER: Duration = seconds(10);
/** Of the time between two looks no more than this counts: a longer gap is our own stop, not theirs. */
const LONGEST_GAP: Duration = milliseconds(100);

const HUNG: SelfCheckReason = "worker-hung";

export interface HeartWatchOptions {
  readonly clock: Clock;
  readonly health: Health;
  /** Per worker a number that grows while it lives: beats and whatever it serves. */
  readonly signs: () => readonly number[];
  /** Called when a worker is given up. */
  readonly onGivenUp: (failure: Error) => void;
}

/**
 * Sees a worker that hangs while others serve. Normal: every look finds every heart moved. Hard: worker 2 is in an
 * endless loop and clients of its socket get no answer, while worker 1 answers its own. After 400 ms the verdict is
 * fail: the worst worker's; after 10 s the process ends, or the site would stay away until somebody came. Hard in another way: the whole process was stopped for a minute. This thread wakes first
 * and finds all hearts where they were; but it has seen only one short gap of its own time, and says nothing.
 */
export class HeartWatch {
  readonly #options: HeartWatchOptions;
  readonly #timer: Timer;
  #seen: readonly number[];
  /** Per worker, milliseconds of our own running time in which it showed no sign. */
  #quiet: readonly number[];
  #lookedAt: Instant;

  constructor(options: HeartWatchOptions) {
    this.#options = options;
    this.#seen = options.signs();
    this.#quiet = this.#seen.map(() => 0);
    this.#lookedAt = options.clock.now();
    this.#timer = options.clock.every("heart-look", HEART_LOOK, () => this.#look());
  }

  stop(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const { clock, health, signs } = this.#options;
    const now = clock.now();
    const gap = Math.min(elapsed(this.#lookedAt, now), LONGEST_GAP);
    const found = signs();
    this.#quiet = found.map((sign, i) => (sign === this.#seen[i] ? (this.#quiet[i] ?? 0) + gap : 0));
    this.#seen = found;
    this.#lookedAt = now;
    const hung = [...this.#quiet.entries()].filter(([, quiet]) => quiet >= HUNG_AFTER).map(([i]) => i + 1);
    if (hung.length === 0) health.clear(HUNG);
    else health.raise(HUNG, "dead", `of ${found.length} workers these hang: ${hung.join(", ")}`);
    const givenUp = this.#quiet.findIndex((quiet) => quiet >= GIVEN_UP_AFTER);
    if (givenUp >= 0) this.#giveUp(`worker ${givenUp + 1} of ${found.length} hangs for good`);
  }

  #giveUp(why: string): void {
    this.stop();
    this.#options.onGivenUp(new Error(why));
  }
}
