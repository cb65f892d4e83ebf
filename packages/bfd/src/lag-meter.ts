import { type Clock, type Duration, elapsed, type Instant, milliseconds, type Timer } from "@stitch/clock";

/** How often the thread asks itself whether it is on time; a third of the shortest detection time would see too little. */
export const LAG_PROBE: Duration = milliseconds(25);

/** How late the timers of this thread run. */
export class LagMeter {
  readonly #clock: Clock;
  #due: Instant;
  #worst = 0;
  #timer: Timer;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#due = clock.now();
    this.#timer = this.#next();
  }

  /** The worst since the last call, a stall that is not over included. */
  take(): Duration {
    const worst = milliseconds(Math.max(this.#worst, this.#late));
    this.#worst = 0;
    return worst;
  }

  stop(): void {
    this.#timer.cancel();
  }

  get #late(): number {
    return Math.max(0, elapsed(this.#due, this.#clock.now()));
  }

  #next(): Timer {
    this.#due = (this.#clock.now() + LAG_PROBE) as Instant;
    return this.#clock.after("bfd-lag", LAG_PROBE, () => {
      this.#worst = Math.max(this.#worst, this.#late);
      this.#timer = this.#next();
    });
  }
}
