import type { Instant } from "@stitch/clock";
import type { Leap } from "../wire/index.ts";

/** Milliseconds. Slewing moves REALTIME and MONOTONIC alike, so their difference stands still unless somebody steps. */
const STEP_THRESHOLD = 1;
/** Milliseconds between the two monotonic readings around a wall reading; a wider pair was interrupted and proves nothing. */
const WIDEST_READING = 0.25;
const LEAP_SECOND = 1_000;
const DAY = 86_400_000;
/** Milliseconds around midnight UTC in which an announced leap second may be applied. */
const AROUND_MIDNIGHT = 60_000;

/** One look at both clocks: monotonic before, wall time, monotonic after. */
export interface ClockPair {
  readonly before: Instant;
  readonly wallMicros: number;
  readonly after: Instant;
}

/**
 * Watches REALTIME minus MONOTONIC. Normal: the difference is the same to a few microseconds. Hard: somebody sets the
 * clock; the difference jumps and stays. Also hard: this thread is interrupted between the two readings; such a pair is
 * skipped, or a busy machine would cry wolf.
 */
export class StepDetector {
  #difference: number | undefined;

  /** Milliseconds of the jump since the last usable pair, 0 for none. `leap` is what the daemon had announced. */
  observe({ before, wallMicros, after }: ClockPair, leap: Leap): number | "uncertain" {
    if (after - before > WIDEST_READING) return "uncertain";
    const wall = wallMicros / 1_000;
    const difference = wall - (before + after) / 2;
    const jump = difference - (this.#difference ?? difference);
    this.#difference = difference;
    return Math.abs(jump) > STEP_THRESHOLD && !isLeapSecond(jump, wall, leap) ? jump : 0;
  }
}

/** The kernel steps by a second when a leap second that the daemon announced is due: nothing is wrong then. */
function isLeapSecond(jump: number, wall: number, leap: Leap): boolean {
  const expected = leap === 1 ? -LEAP_SECOND : leap === 2 ? LEAP_SECOND : undefined;
  const sinceMidnight = ((wall + AROUND_MIDNIGHT) % DAY) - AROUND_MIDNIGHT;
  return (
    expected !== undefined && Math.abs(jump - expected) <= STEP_THRESHOLD && Math.abs(sinceMidnight) <= AROUND_MIDNIGHT
  );
}
