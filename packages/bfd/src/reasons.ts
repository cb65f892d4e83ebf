/** Why a session changed state: the closed set, the same words in events, status, logs and README. */
export const BFD_REASONS = [
  "peer-heard",
  "handshake-complete",
  "detection-expired",
  "peer-down",
  "peer-admin-down",
  "enabled",
  "disabled",
  "worker-lost",
] as const;

export type BfdReason = (typeof BFD_REASONS)[number];

/** Why a packet was counted and not used, in the order in which RFC 5880 section 6.8.6 (and RFC 5881 section 5) checks. */
export const REFUSED_REASONS = [
  "hop-limit",
  "unsupported-version",
  "bad-length",
  "truncated",
  "zero-multiplier",
  "multipoint",
  "zero-my-discriminator",
  "unknown-discriminator",
  "missing-discriminator",
  "unknown-peer",
  "authentication",
  "session-admin-down",
] as const;

export type RefusedReason = (typeof REFUSED_REASONS)[number];

export function noneRefused(): Record<RefusedReason, number> {
  return {
    "hop-limit": 0,
    "unsupported-version": 0,
    "bad-length": 0,
    truncated: 0,
    "zero-multiplier": 0,
    multipoint: 0,
    "zero-my-discriminator": 0,
    "unknown-discriminator": 0,
    "missing-discriminator": 0,
    "unknown-peer": 0,
    authentication: 0,
    "session-admin-down": 0,
  };
}

/** Why a session that is wanted is not spoken at all. */
export const PROBLEM_REASONS = ["cannot-bind", "hop-limit-unknown", "no-route"] as const;

export type ProblemReason = (typeof PROBLEM_REASONS)[number];
