import { milliseconds, type Duration } from "@stitch/clock";

/** Bounds of the buckets grow by a quarter of an octave: from 1 ms to 4 s, within a fifth of the truth. */
const BUCKETS = 49;
const PER_OCTAVE = 4;
/** Answers after which all counts are halved: what was true an hour ago fades. */
const REMEMBERED = 256;
/** Answers without which nothing is said. */
const ENOUGH = 16;
const QUANTILE = 0.95;
/** Later than this by so much: one answer in twenty is slower than its p95 even when nothing is wrong ... */
const MARGIN = 1.5;
/** ... and a stop of our own for a few milliseconds is not the upstream's. */
const LEAST_PATIENCE: Duration = milliseconds(50);
/**
 * Share of an upstream's questions that another one may be asked as well. Without a bound, an upstream that gets slow
 * because it is overloaded would double the load of all.
 */
const HEDGED_SHARE = 0.1;
/** Hedges saved up: a short stop of the upstream finds several questions on their way. */
const MOST_SAVED = 10;

/** How fast an upstream answers, and how often another may be asked because it is slower than it uses to be. */
export class Pace {
  readonly #counts = new Uint16Array(BUCKETS);
  #total = 0;
  #saved = 1;

  /** A question is put: it earns a part of a hedge. */
  asked(): void {
    this.#saved = Math.min(MOST_SAVED, this.#saved + HEDGED_SHARE);
  }

  answered(after: Duration): void {
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.ceil(PER_OCTAVE * Math.log2(Math.max(1, after)))));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
    if (this.#total >= REMEMBERED) this.#fade();
  }

  /** After how long without an answer another upstream is asked; undefined while too little is known. */
  get patience(): Duration | undefined {
    if (this.#total < ENOUGH) return undefined;
    let below = 0;
    let bucket = 0;
    for (; bucket < BUCKETS - 1; bucket += 1) {
      below += this.#counts[bucket] ?? 0;
      if (below >= this.#total * QUANTILE) break;
    }
    return milliseconds(Math.max(LEAST_PATIENCE, Math.round(MARGIN * 2 ** (bucket / PER_OCTAVE))));
  }

  /** True when another upstream may be asked too; that one is then spent. */
  takeHedge(): boolean {
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }

  #fade(): void {
    this.#total = 0;
    for (const [i, count] of this.#counts.entries()) {
      this.#counts[i] = count >>> 1;
      this.#total += count >>> 1;
    }
  }
}
