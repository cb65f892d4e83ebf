import { milliseconds, seconds, type Duration } from "@stitch/clock";
import { DEFAULT_INTERVAL, DEFAULT_MULTIPLIER, MAX_INTERVAL, MAX_MULTIPLIER, MIN_INTERVAL } from "@stitch/bfd";
import { asNumber, duration, ipAddress, section } from "@stitch/config";
import { z } from "zod";

/** RFC 4271 allows 3 s; less is noise. */
const SHORTEST_HOLD: Duration = seconds(3);

const bfdSection = section({
  /** How often packets are sent and wanted. */
  interval: duration({ min: MIN_INTERVAL, max: MAX_INTERVAL }).default(milliseconds(DEFAULT_INTERVAL)),
  /** How many may be lost before the router holds us dead. */
  multiplier: z.number().int().min(1).max(MAX_MULTIPLIER).default(DEFAULT_MULTIPLIER),
});

export const peerSection = section({
  address: ipAddress(),
  /** TCP port of the peer. */
  port: z.number().int().min(1).max(65_535).default(179),
  asn: asNumber(),
  holdTime: duration({ min: SHORTEST_HOLD, max: seconds(65_535) }).default(seconds(9)),
  /** Source address of the session; also the next hop unless `nextHop` is set. */
  localAddress: ipAddress().optional(),
  nextHop: ipAddress().optional(),
  /** TCP-MD5 (RFC 2385): `file:PATH` of a file that holds it, or the password itself. */
  password: z.string().min(1).optional(),
  /** GTSM (RFC 5082): the router is at most this many hops away; 1 for the same link. */
  ttlSecurity: z.number().int().min(1).max(254).optional(),
  /** TTL of what is sent, for a router that is this many hops away. */
  multihop: z.number().int().min(2).max(255).optional(),
  bfd: bfdSection.optional(),
  /** How long the router may hold a change back from its own neighbours (RFC 4271 section 9.2.1.1); for `stitch check`. */
  advertisementInterval: duration({ max: seconds(600) }).default(seconds(0)),
});

export type PeerConfig = z.infer<typeof peerSection>;

/** What cannot stand together in one peer, as setting and sentence. */
export function peerContradictions({ address, ttlSecurity, multihop, bfd }: PeerConfig): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  if (ttlSecurity !== undefined && multihop !== undefined) {
    found.push(["multihop", "ttlSecurity sends with TTL 255 already; leave one of them out"]);
  }
  if (bfd !== undefined && multihop !== undefined) {
    found.push(["bfd", "watches one link only (RFC 5881); a peer several hops away cannot have it"]);
  }
  if (bfd !== undefined && /^fe80:/i.test(address)) {
    found.push(["bfd", `cannot watch the link-local address ${address}; use the router's global or unique local one`]);
  }
  return found;
}
