/**
 * What became of a query: the closed set, the same word in metric, test and README. On the datagram's path a reason is
 * its index here.
 */
export const REASONS = [
  "local",
  "cached",
  "forwarded",
  "stale",
  "identity",
  "cookie-given",
  "explained",
  "any-minimal",
  "policy-nxdomain",
  "policy-nodata",
  "policy-address",
  "no-route",
  "explain-refused",
  "client-not-allowed",
  "recursion-not-desired",
  "transfer-refused",
  "type-refused",
  "class-refused",
  "malformed",
  "opcode-unsupported",
  "edns-version",
  "upstream-failed",
  "upstream-busy",
  "failed-before",
  "looped",
  "rate-limited",
  "rate-slipped",
  "too-short",
  "is-response",
  "oversized",
] as const;

export type Reason = (typeof REASONS)[number];

/** Index into REASONS. */
export type ReasonCode = number;

export function codeOf(reason: Reason): ReasonCode {
  return REASONS.indexOf(reason);
}

/** The same set by name, for the datagram path. */
export const REASON = {
  local: codeOf("local"),
  cached: codeOf("cached"),
  forwarded: codeOf("forwarded"),
  stale: codeOf("stale"),
  identity: codeOf("identity"),
  cookieGiven: codeOf("cookie-given"),
  explained: codeOf("explained"),
  explainRefused: codeOf("explain-refused"),
  anyMinimal: codeOf("any-minimal"),
  policyNxdomain: codeOf("policy-nxdomain"),
  policyNodata: codeOf("policy-nodata"),
  policyAddress: codeOf("policy-address"),
  noRoute: codeOf("no-route"),
  clientNotAllowed: codeOf("client-not-allowed"),
  recursionNotDesired: codeOf("recursion-not-desired"),
  transferRefused: codeOf("transfer-refused"),
  typeRefused: codeOf("type-refused"),
  classRefused: codeOf("class-refused"),
  malformed: codeOf("malformed"),
  opcodeUnsupported: codeOf("opcode-unsupported"),
  ednsVersion: codeOf("edns-version"),
  upstreamFailed: codeOf("upstream-failed"),
  upstreamBusy: codeOf("upstream-busy"),
  failedBefore: codeOf("failed-before"),
  looped: codeOf("looped"),
  rateLimited: codeOf("rate-limited"),
  rateSlipped: codeOf("rate-slipped"),
  tooShort: codeOf("too-short"),
  isResponse: codeOf("is-response"),
  oversized: codeOf("oversized"),
} as const;
