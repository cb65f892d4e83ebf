/** Why the state of a VIP, or what the router hears of it, has changed. The same words in journal, metrics and README. */
export const REASONS = [
  "check-passed",
  "risen",
  "verdict-pass",
  "verdict-degraded",
  "verdict-fail",
  "check-failed",
  "fallen",
  "lease-closed",
  "lease-expired",
  "lease-refused",
  "vip-not-local",
  "service-draining",
  "operator-drain",
  "operator-undrain",
  "drain-expired",
  "announcer-stopping",
  "other-origin-seen",
  "sibling-announces",
  "nobody-listens",
  "drain-deadline",
  "drain-forced",
] as const;

export type Reason = (typeof REASONS)[number];
