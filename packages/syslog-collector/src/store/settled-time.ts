import { days, elapsed, hours, type Clock, type Duration, type Instant } from "@stitch/clock";

/** Further ahead than any daemon moves a clock that was right. */
const JUMP_MICROS = hours(1) * 1_000;
/** A jump that has lasted for this long is believed. */
const SETTLING: Duration = days(1);

/**
 * Wall time for what cannot be undone. A clock that was wrong at boot is set forward by decades, and one that follows a
 * liar goes there too: either would make every record too old to keep. Backwards nothing is removed, so it is followed.
 */
export class SettledTime {
  readonly #clock: Clock;
  #micros: number;
  #at: Instant;
  #jumpedAt: Instant | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#micros = clock.wallMicros();
    this.#at = clock.now();
  }

  /** Microseconds since 1970. To be asked for now and then: every minute at least. */
  wallMicros(): number {
    const [now, wall] = [this.#clock.now(), this.#clock.wallMicros()];
    const expected = this.#micros + elapsed(this.#at, now) * 1_000;
    this.#jumpedAt = wall - expected > JUMP_MICROS ? (this.#jumpedAt ?? now) : undefined;
    if (this.#jumpedAt !== undefined && elapsed(this.#jumpedAt, now) < SETTLING) return expected;
    this.#micros = wall;
    this.#at = now;
    return wall;
  }
}
