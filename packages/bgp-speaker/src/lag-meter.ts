import { type Clock, type Duration, elapsed, type Instant, milliseconds, scaled, type Timer } from "@stitch/clock";

/** Lag beyond this part of the hold time is a warning: a keepalive is due every third, so half of that is used up. */
const WARNING = 1 / 6;
/** A timer this often in a hold time; 100 ms at the hold time of 3 s. */
const LOOKS = 30;

/** How late this process runs what is due. */
export interface Lag {
  /** At the last look. */
  readonly last: Duration;
  /** The most since the session's peer answered. */
  readonly worst: Duration;
}

const NO_LAG: Lag = { last: milliseconds(0), worst: milliseconds(0) };

/**
 * Measures how late timers fire: whatever keeps the event loop busy, or the process off the processor, delays the
 * KEEPALIVE just as much, and beyond the hold time the peer gives the session up.
 */
export class LagMeter {
  readonly #clock: Clock;
  readonly #onLate: (lag: Duration, holdTime: Duration) => void;
  #timer: Timer | undefined;
  #lag = NO_LAG;

  constructor(clock: Clock, onLate: (lag: Duration, holdTime: Duration) => void) {
    this.#clock = clock;
    this.#onLate = onLate;
  }

  get lag(): Lag {
    return this.#lag;
  }

  start(holdTime: Duration): void {
    this.stop();
    this.#lag = NO_LAG;
    this.#look(scaled(holdTime, 1 / LOOKS), holdTime);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(interval: Duration, holdTime: Duration): void {
    const began = this.#clock.now();
    this.#timer = this.#clock.after("lag", interval, () => {
      this.#look(interval, holdTime);
      this.#measured(began, interval, holdTime);
    });
  }

  #measured(began: Instant, interval: Duration, holdTime: Duration): void {
    const last = milliseconds(Math.max(0, elapsed(began, this.#clock.now()) - interval));
    this.#lag = { last, worst: milliseconds(Math.max(last, this.#lag.worst)) };
    if (last > holdTime * WARNING) this.#onLate(last, holdTime);
  }
}
