import { later, minutes, scaled, type Duration, type Instant } from "@stitch/clock";

/** How long a server that does not know EDNS is asked without it (RFC 6891 section 6.2.2): it may be replaced any day ... */
export const SHORTEST: Duration = minutes(1);
/** ... and asking such a one with it costs a question more, so the time doubles up to this. */
export const LONGEST: Duration = minutes(15);

/**
 * Refusals without the question, one after the other and no answer with EDNS between, after which one is believed: a forger
 * needs port and id for it and not the letters of the name, and must not be able to take signatures from validating clients.
 */
const BELIEVED = 3;

/** Whether an upstream is asked with EDNS. */
export class EdnsMemory {
  #span: Duration | undefined;
  #until: Instant | undefined;
  #doubtful = 0;

  isSpoken(now: Instant): boolean {
    return this.#until === undefined || now >= this.#until;
  }

  /** An answer to a question with it has come. */
  spoken(): void {
    this.#span = undefined;
    this.#until = undefined;
    this.#doubtful = 0;
  }

  /**
   * It answered without it what it had refused with it, `certain` when it repeated the question then. Of many questions under
   * way the first counts.
   */
  refused(now: Instant, certain: boolean): void {
    if (!this.isSpoken(now)) return;
    this.#doubtful += 1;
    if (!certain && this.#doubtful < BELIEVED) return;
    this.#span = this.#span === undefined ? SHORTEST : (Math.min(LONGEST, scaled(this.#span, 2)) as Duration);
    this.#until = later(now, this.#span);
  }
}
