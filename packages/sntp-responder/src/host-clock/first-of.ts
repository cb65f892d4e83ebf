import { elapsed, scaled, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import type { ClockSource, SourceAnswer } from "./source.ts";

/**
 * How long the source that answered last must be silent before another is asked: one lost answer must not turn
 * "unsynchronised" into what somebody else thinks. Shorter than READING_LIFETIME, so that a real change leaves no gap.
 */
const LOYALTY: Duration = seconds(5);

/** `auto`: the first of several sources that answers, in order of preference. */
export class FirstOf implements ClockSource {
  readonly name = "auto";
  readonly #candidates: readonly ClockSource[];
  readonly #clock: Clock;
  #last: { readonly source: ClockSource; readonly at: Instant } | undefined;

  constructor(candidates: readonly ClockSource[], clock: Clock) {
    this.#candidates = candidates;
    this.#clock = clock;
  }

  async read(limit: Duration): Promise<SourceAnswer> {
    const share = scaled(limit, 1 / this.#candidates.length);
    const details: string[] = [];
    for (const candidate of this.#candidates) {
      const answer = await candidate.read(share);
      if (answer.kind === "reading") {
        this.#last = { source: candidate, at: this.#clock.now() };
        return answer;
      }
      details.push(`${candidate.name}: ${answer.detail}`);
      if (this.#answeredLately(candidate)) break;
    }
    return { kind: "none", detail: details.join("; ") };
  }

  #answeredLately(source: ClockSource): boolean {
    return this.#last?.source === source && elapsed(this.#last.at, this.#clock.now()) < LOYALTY;
  }
}
