import { elapsed, milliseconds, scaled, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import type { QuestionKey } from "./question-key.ts";

/**
 * RFC 9520 section 3.2: a failure is kept for 1 s at least; doubled with every further one, and never for more than 5 min.
 * One that is older than twice the longest is another matter: it begins anew.
 */
const FIRST: Duration = seconds(1);
const LONGEST: Duration = seconds(30);
/** RFC 8767 section 5: while an expired answer is served in its place, a question is put again no more often than this. */
const RECHECK: Duration = seconds(30);
/** Names that fail are made up by strangers: so many are remembered, some 300 bytes each, the oldest forgotten first. */
const MOST = 4_096;

interface Failure {
  readonly key: QuestionKey;
  readonly at: Instant;
  readonly hold: Duration;
  readonly extended: Uint8Array;
}

/**
 * Questions that no upstream could answer a moment ago (RFC 9520). Clients repeat what fails at once and all together;
 * without this each repetition would be three more questions for servers that are in trouble already.
 */
export class FailureCache {
  readonly #clock: Clock;
  /** By hash: of two questions with the same one the later is remembered. */
  readonly #failures = new Map<number, Failure>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#failures.size;
  }

  /** The extended error of a failure that still stands; undefined when the question may be put. */
  standing(key: QuestionKey): Uint8Array | undefined {
    const failure = this.#of(key);
    if (failure === undefined) return undefined;
    return elapsed(failure.at, this.#clock.now()) < failure.hold ? failure.extended : undefined;
  }

  /** `served`: there is an expired answer, so that nobody goes without while the question rests. */
  failed(key: QuestionKey, extended: Uint8Array, served = false): void {
    const now = this.#clock.now();
    const before = this.#of(key);
    const again = before !== undefined && elapsed(before.at, now) < scaled(LONGEST, 2);
    const doubled = again ? milliseconds(Math.min(LONGEST, scaled(before.hold, 2))) : FIRST;
    const hold = served ? RECHECK : doubled;
    this.#failures.delete(key.hash); // to the end of the order
    this.#failures.set(key.hash, { key: before?.key ?? key.alone(), at: now, hold, extended });
    if (this.#failures.size <= MOST) return;
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined) this.#failures.delete(oldest);
  }

  answered(key: QuestionKey): void {
    if (this.#of(key) !== undefined) this.#failures.delete(key.hash);
  }

  /** Everything may be asked again: an upstream has come back. */
  clear(): void {
    this.#failures.clear();
  }

  #of(key: QuestionKey): Failure | undefined {
    const failure = this.#failures.get(key.hash);
    return failure !== undefined && failure.key.is(key) ? failure : undefined;
  }
}
