import type { Clock, Instant, Timer } from "./clock.ts";
import { usable, type Duration } from "./duration.ts";

/** setTimeout counts in a signed 32-bit millisecond; a longer delay would fire at once, so it is waited for in parts. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

class SystemTimer implements Timer {
  readonly name: string;
  readonly #fire: () => void;
  readonly #interval: number | undefined;
  #handle: NodeJS.Timeout | undefined;

  constructor(name: string, delay: number, interval: number | undefined, fire: () => void) {
    this.name = name;
    this.#fire = fire;
    this.#interval = interval;
    this.#wait(delay);
  }

  cancel(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  #wait(left: number): void {
    if (left > LONGEST_TIMEOUT) {
      this.#handle = setTimeout(() => this.#wait(left - LONGEST_TIMEOUT), LONGEST_TIMEOUT);
    } else if (this.#interval === left) {
      this.#handle = setInterval(this.#fire, left);
    } else {
      this.#handle = setTimeout(() => this.#due(), left);
    }
  }

  #due(): void {
    if (this.#interval !== undefined) this.#wait(this.#interval);
    this.#fire();
  }
}

/** The real clock. Timers keep the process alive, as a service's should. */
export class SystemClock implements Clock {
  now(): Instant {
    return performance.now() as Instant;
  }

  /** Temporal follows the host's clock, steps included; performance.timeOrigin + now() would not. */
  wallMicros(): number {
    return Number(Temporal.Now.instant().epochNanoseconds / 1_000n);
  }

  after(name: string, delay: Duration, fire: () => void): Timer {
    return new SystemTimer(name, Math.max(0, usable(name, delay)), undefined, fire);
  }

  every(name: string, interval: Duration, fire: () => void): Timer {
    const wait = Math.max(0, usable(name, interval));
    return new SystemTimer(name, wait, wait, fire);
  }
}
