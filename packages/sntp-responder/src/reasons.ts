/**
 * What became of a datagram: the closed set, the same word in metric, test and README. On the datagram's path a reason
 * is its index here.
 */
export const REASONS = [
  "served",
  "served-unsynchronised",
  "short",
  "oversized",
  "version-unsupported",
  "not-client-mode",
  "symmetric-active",
  "source-port-zero",
  "own-socket",
  "mac-unsupported",
  "extension-malformed",
] as const;

export type Reason = (typeof REASONS)[number];

/** Index into REASONS. */
export type ReasonCode = number;

export function codeOf(reason: Reason): ReasonCode {
  return REASONS.indexOf(reason);
}
