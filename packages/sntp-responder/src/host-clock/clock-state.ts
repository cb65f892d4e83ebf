import type { Instant } from "@stitch/clock";
import type { Leap, Timestamp } from "../wire/index.ts";

/** Log2 seconds of what wall time is read in here: microseconds. */
export const OWN_PRECISION = -20;

/** What a source said about the clock of this host, at one instant. */
export interface ClockReading {
  /** When the source was asked: its answer may have waited for this process, and is older than its arrival. */
  readonly at: Instant;
  readonly leap: Leap;
  readonly stratum: number;
  /** log2 seconds */
  readonly precision: number;
  readonly referenceId: number;
  /** When the clock was last set or corrected. */
  readonly reference: Timestamp;
  /** seconds */
  readonly rootDelay: number;
  /** Seconds, as of `at`; includes what the clock is known to be off by. */
  readonly rootDispersion: number;
}

/** A clock that may be served: leap 0..2, stratum 1..15. */
export interface Synchronised {
  readonly kind: "synchronised";
  readonly leap: Exclude<Leap, 3>;
  readonly stratum: number;
  readonly precision: number;
  readonly referenceId: number;
  readonly reference: Timestamp;
  /** seconds */
  readonly rootDelay: number;
  /** seconds, as of now */
  readonly rootDispersion: number;
}

export interface Unsynchronised {
  readonly kind: "unsynchronised";
  /** RFC 5905 section 7.4: INIT before the first synchronisation, STEP after a jump; empty when it was lost. */
  readonly kiss: "INIT" | "STEP" | "";
  /** For people; the same words as long as the cause is the same. */
  readonly detail: string;
}

/** What is true of the host's clock now. Nothing in it is made up. */
export type ClockState = Synchronised | Unsynchronised;

/** Seconds: the most that the clock may be off, as far as its own daemon can tell (RFC 5905 appendix A.5.5.2). */
export function rootDistance({ rootDelay, rootDispersion }: Synchronised): number {
  return rootDelay / 2 + rootDispersion;
}
