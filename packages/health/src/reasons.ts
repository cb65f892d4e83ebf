/** Reasons that this package raises by itself; each service has its own closed set beside these. */
export const SELF_CHECK_REASONS = [
  "wrong-answer",
  "unresponsive",
  "overloaded",
  "warm-up-failed",
  "worker-hung",
] as const;
export type SelfCheckReason = (typeof SELF_CHECK_REASONS)[number];
