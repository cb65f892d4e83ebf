import type { Duration } from "./duration.ts";

declare const instantBrand: unique symbol;

/** A point on the monotonic clock, in milliseconds since an arbitrary start. Never compare it with wall time. */
export type Instant = number & { readonly [instantBrand]: "instant" };

/** One pending or cancelled timer. Its name appears in diagnostics and in FakeClock's failure texts. */
export interface Timer {
  readonly name: string;
  cancel(): void;
}

/**
 * Time as a collaborator, passed in and never read from the environment, so that tests move it by hand.
 * Only this package, `main.ts` files and I/O shells touch the real thing.
 */
export interface Clock {
  /** Monotonic now: for intervals, ages, deadlines. Unaffected by steps of the wall clock. */
  now(): Instant;
  /** Wall time in microseconds since 1970-01-01T00:00Z: for logs, journals and timestamps that leave the process. */
  wallMicros(): number;
  /** Runs `fire` once after `delay`. */
  after(name: string, delay: Duration, fire: () => void): Timer;
  /** Runs `fire` every `interval`, first after one interval. */
  every(name: string, interval: Duration, fire: () => void): Timer;
}

export function elapsed(since: Instant, now: Instant): Duration {
  return (now - since) as number as Duration;
}

export function later(from: Instant, by: Duration): Instant {
  return ((from as number) + (by as number)) as Instant;
}

/** RFC 3339 text with milliseconds, UTC, of a wall time in microseconds. */
export function formatWall(micros: number): string {
  return new Date(micros / 1_000).toISOString();
}
