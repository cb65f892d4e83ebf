import { milliseconds, type Duration } from "@stitch/clock";

/** What is remembered of a VIP's falls (RFC 2439 section 4.2, turned on ourselves). */
export interface Flaps {
  /** At `at`; it halves every `halfLife`. */
  readonly penalty: number;
  /** Wall time in microseconds: it must outlive the process. */
  readonly at: number;
  /** The cut-off was passed, and the penalty has not decayed to REUSE since. */
  readonly suppressed: boolean;
}

export interface DampingRules {
  readonly halfLife: Duration;
  /** No VIP waits longer, however often it has fallen. */
  readonly max: Duration;
}

/** One fall for cause. The first two in a row cost nothing but the hold-down. */
const PENALTY_PER_FALL = 1_000;
const CUT_OFF = 2_000;
const REUSE = 1_000;

/**
 * The memory after one more fall. The ceiling (RFC 2439 section 4.2) is what decays to REUSE within `max`; it bounds the
 * wait and not what counts as too many falls, for it is below the cut-off where `max` is shorter than `halfLife`.
 */
export function fell(before: Flaps | undefined, rules: DampingRules, wall: number): Flaps {
  const ceiling = REUSE * 2 ** (rules.max / rules.halfLife);
  const raised = penaltyAt(before, rules, wall) + PENALTY_PER_FALL;
  const penalty = Math.min(ceiling, raised);
  return { penalty, at: wall, suppressed: raised > CUT_OFF || waitLeft(before, rules, wall) > 0 };
}

/** How long the VIP must not be announced, by its penalty alone. */
export function waitLeft(flaps: Flaps | undefined, rules: DampingRules, wall: number): Duration {
  const penalty = penaltyAt(flaps, rules, wall);
  if (flaps?.suppressed !== true || penalty <= REUSE) return milliseconds(0);
  return Math.min(rules.max, rules.halfLife * Math.log2(penalty / REUSE)) as Duration;
}

/** A clock that was set back adds no time; one that was set forward forgives. */
export function penaltyAt(flaps: Flaps | undefined, { halfLife }: DampingRules, wall: number): number {
  if (flaps === undefined) return 0;
  const passed = Math.max(0, wall - flaps.at) / 1_000;
  return flaps.penalty * 2 ** (-passed / halfLife);
}
