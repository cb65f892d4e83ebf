import { type Duration, milliseconds, seconds } from "@stitch/clock";

import type { SessionReason } from "./reasons.ts";
import type { Family } from "./wire/address.ts";
import { encodeFamilies } from "./wire/capability.ts";
import { type FormatError, NO_BYTES } from "./wire/decoded.ts";
import { type Open, openAsn } from "./wire/open.ts";

/** RFC 4271 section 4.2: zero (no liveness at all) is legal there and refused here; 1 and 2 are illegal. */
export const MIN_HOLD_TIME: Duration = seconds(3);
export const MAX_HOLD_TIME: Duration = seconds(65_535);
export const DEFAULT_HOLD_TIME: Duration = seconds(9);
/** Some routers refuse short hold times with 2/6; then longer ones are offered, in this order. */
const HOLD_TIME_STEPS: readonly Duration[] = [seconds(30), seconds(90)];

export function raisedHoldTime(offered: Duration): Duration | undefined {
  return HOLD_TIME_STEPS.find((step) => step > offered);
}

/** RFC 4271 section 4.4 asks for a third of the hold time and at most one KEEPALIVE a second. */
export function keepaliveInterval(holdTime: Duration): Duration {
  return milliseconds(Math.max(1_000, holdTime / 3));
}

export interface LocalSide {
  readonly asn: number;
  readonly routerId: string;
  readonly families: readonly Family[];
  readonly holdTime: Duration;
}

/** What both sides agreed on. */
export interface Negotiated {
  readonly remoteAsn: number;
  readonly remoteRouterId: string;
  readonly holdTime: Duration;
  readonly families: readonly Family[];
  readonly fourOctetAs: boolean;
  readonly routeRefresh: boolean;
  /** RFC 7313: both sides mark what answers a refresh; ours is always offered. */
  readonly enhancedRouteRefresh: boolean;
  readonly capabilityCodes: readonly number[];
  readonly internal: boolean;
}

export type Negotiation =
  | { readonly ok: true; readonly value: Negotiated }
  | { readonly ok: false; readonly reason: SessionReason; readonly error: FormatError };

/** The checks of RFC 4271 section 6.2 on a peer's OPEN, and the outcome of both OPENs together. */
export function negotiate(local: LocalSide, expectedAsn: number | "any", open: Open): Negotiation {
  const asn = openAsn(open);
  if (asn === 0 || (expectedAsn !== "any" && asn !== expectedAsn)) {
    return unsuitable("wrong-as", 2, `peer is in AS ${asn}, AS ${expectedAsn} is configured`);
  }
  const internal = asn === local.asn;
  if (open.routerId === "0.0.0.0") return unsuitable("no-router-id", 3, "peer's BGP identifier is zero");
  if (internal && open.routerId === local.routerId) {
    return unsuitable("wrong-router-id", 3, `peer's BGP identifier ${open.routerId} is our own`);
  }
  if (seconds(open.holdTime) < MIN_HOLD_TIME) {
    return unsuitable("unacceptable-hold-time", 6, `peer offers a hold time of ${open.holdTime} s`);
  }
  const offered = open.capabilities.multiprotocol ? open.capabilities.families : (["ipv4"] as const);
  const families = local.families.filter((family) => offered.includes(family));
  if (families.length === 0) {
    // RFC 5492 section 5: the data lists the capabilities that are missed.
    return unsuitable("no-common-family", 7, "no address family in common", encodeFamilies(local.families));
  }
  return {
    ok: true,
    value: {
      remoteAsn: asn,
      remoteRouterId: open.routerId,
      holdTime: milliseconds(Math.min(local.holdTime, seconds(open.holdTime))),
      families,
      fourOctetAs: open.capabilities.fourOctetAs !== undefined,
      routeRefresh: open.capabilities.routeRefresh || open.capabilities.enhancedRouteRefresh,
      enhancedRouteRefresh: open.capabilities.enhancedRouteRefresh,
      capabilityCodes: open.capabilities.codes,
      internal,
    },
  };
}

function unsuitable(reason: SessionReason, subcode: number, detail: string, data = NO_BYTES): Negotiation {
  return { ok: false, reason, error: { code: 2, subcode, data, detail } };
}

/** The reason that belongs to an OPEN which could not be read. */
export function reasonOfOpenError(error: FormatError): SessionReason {
  if (error.code !== 2) return "malformed";
  if (error.subcode === 1) return "unsupported-version";
  return error.subcode === 4 ? "unsupported-parameter" : "malformed";
}
