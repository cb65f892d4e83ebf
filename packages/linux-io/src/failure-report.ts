import { elapsed, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";

/** A stranger may know a datagram that makes a handler fail: each is counted, one in this time is told. */
const FAILURE_INTERVAL: Duration = seconds(1);

/** Tells failures to their owner, at most one a second. */
export class FailureReport {
  readonly #clock: Clock;
  readonly #onFailure: (failure: Error) => void;
  #last: Instant | undefined;

  constructor(clock: Clock, onFailure: (failure: Error) => void) {
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  tell(failure: unknown): void {
    const now = this.#clock.now();
    if (this.#last !== undefined && elapsed(this.#last, now) < FAILURE_INTERVAL) return;
    this.#last = now;
    this.#onFailure(failure instanceof Error ? failure : new Error(String(failure)));
  }
}
