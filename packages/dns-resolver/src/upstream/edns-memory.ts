import { later, minutes, scaled, type Duration, type Instant } from "@stitch/clock";

/** How long a server that does not know EDNS is asked without it (RFC 6891 section 6.2.2): it may be replaced any day ... */
const SHORTEST: Duration = minutes(1);
/** ... and asking such a one with it costs a question more, so the time doubles up to this. */
const LONGEST: Duration = minutes(15);

/**
 * So many questions in a row: who forges one refusal, which is hardly harder than any answer, must not take the signatures
 * from all that comes after.
 */
const REFUSALS = 2;

/** Whether an upstream is asked with EDNS. */
export class EdnsMemory {
  #refusals = 0;
  #span: Duration | undefined;
  #until: Instant | undefined;

  isSpoken(now: Instant): boolean {
    return this.#until === undefined || now >= this.#until;
  }

  /** An answer to a question with it has come. */
  spoken(): void {
    this.#refusals = 0;
    this.#span = undefined;
    this.#until = undefined;
  }

  /** It answered without it what it had refused with it. What is still under way when it is known counts no more. */
  refused(now: Instant): void {
    if (!this.isSpoken(now)) return;
    this.#refusals += 1;
    if (this.#refusals < REFUSALS) return;
    this.#span = this.#span === undefined ? SHORTEST : (Math.min(LONGEST, scaled(this.#span, 2)) as Duration);
    this.#until = later(now, this.#span);
  }
}
