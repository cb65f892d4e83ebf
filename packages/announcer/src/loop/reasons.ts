/** What the announcer finds wrong with the effect of what it says. The same words in status, journal, metric and README. */
export const ALARMS = [
  "update-not-sent",
  "update-not-acknowledged",
  "route-not-sendable",
  "router-silent",
  "other-path-preferred",
  "prefix-limit",
  "no-traffic",
  "self-query-failed",
] as const;

export type AlarmCode = (typeof ALARMS)[number];
