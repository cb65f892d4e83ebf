/** Why a session changed state: the closed set, the same words in events, status, logs and README. */
export const SESSION_REASONS = [
  "started",
  "retry",
  "tcp-connected",
  "tcp-accepted",
  "tcp-failed",
  "tcp-timeout",
  "open-accepted",
  "established",
  "stopped",
  "peer-closed",
  "peer-shutdown",
  "peer-notification",
  "collision",
  "prefix-limit",
  "hold-time-raised",
  "open-refused-by-peer",
  "wrong-as",
  "wrong-router-id",
  "no-router-id",
  "unacceptable-hold-time",
  "unsupported-version",
  "unsupported-parameter",
  "no-common-family",
  "malformed",
  "unexpected-message",
  "open-timeout",
  "hold-timer-expired",
  "send-hold-expired",
  "bfd-down",
] as const;

export type SessionReason = (typeof SESSION_REASONS)[number];

/** What a peer sent that was read, counted and not used. */
export const IGNORED_REASONS = [
  "treat-as-withdraw",
  "attribute-discard",
  "path-limit",
  "family-not-negotiated",
  "refresh-not-applicable",
] as const;

export type IgnoredReason = (typeof IGNORED_REASONS)[number];

export function noneIgnored(): Record<IgnoredReason, number> {
  return {
    "treat-as-withdraw": 0,
    "attribute-discard": 0,
    "path-limit": 0,
    "family-not-negotiated": 0,
    "refresh-not-applicable": 0,
  };
}

/** Why a wanted advertisement is not sent to this peer. */
export const UNSENDABLE_REASONS = ["family-not-negotiated", "no-next-hop"] as const;

export type UnsendableReason = (typeof UNSENDABLE_REASONS)[number];
