import type { ReasonClass } from "@stitch/health";

/**
 * What became of a datagram: exactly one of these, counted once, at the exit. Log, metric, test and README use the
 * same words. A reason's index is its code on the hot path.
 */
export const REASONS = [
  "rfc5424",
  "rfc3164",
  "unparsed",
  "no-priority",
  "bad-priority",
  "truncated",
  "empty",
  "store-full",
  "self-check",
] as const;

export type Reason = (typeof REASONS)[number];

export const REASON = {
  rfc5424: 0,
  rfc3164: 1,
  unparsed: 2,
  noPriority: 3,
  badPriority: 4,
  truncated: 5,
  empty: 6,
  storeFull: 7,
  selfCheck: 8,
} as const;

export type ReasonCode = (typeof REASON)[keyof typeof REASON];

/**
 * Why the collector may not be simply well; beside these, those of every service's self-check.
 *
 * `store-unwritable` is dead: what it accepts, it cannot keep, and the disk is this site's alone, so another site is
 * better for every sender. One failed write is not enough: it is retried 100 ms later, and meanwhile nothing is lost.
 * `disk-low` is a dependency: records are still kept, but any healthier site should be preferred.
 * `store-overflow` is load: the disk works and is slower than what arrives; elsewhere it would be no different.
 */
export const HEALTH_REASONS = {
  "store-unwritable": "dead",
  "disk-low": "dependency",
  "store-overflow": "load",
} as const satisfies Readonly<Record<string, ReasonClass>>;

export type HealthReasonCode = keyof typeof HEALTH_REASONS;
