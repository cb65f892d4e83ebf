import {
  GRACEFUL_SHUTDOWN,
  type Advertisement,
  type LargeCommunity,
  type Prefix,
  type ReceivedPath,
} from "@stitch/bgp-speaker";
import type { LoadMark } from "../decision/load.ts";
import type { Wish } from "../decision/machine.ts";

/** Large community ASN:1:INSTANCE marks every path of ours, so that our echo is known when a peer sends it back. */
const INSTANCE_MARK = 1;
/** Large community ASN:2:STEP says how busy we are; the router's configuration maps it to LOCAL_PREF. */
export const LOAD_MARK = 2;
/** Last resort: own AS this many times more. Works where a router ignores the community and the MED. */
const LAST_RESORT_PREPEND = 3;
/** Within one AS (iBGP) nothing is prepended, and this decides before all else (RFC 8326 section 4.2). */
const LAST_RESORT_LOCAL_PREF = 0;
/** Highest usable MED; some routers treat 4294967295 as missing. */
const LAST_RESORT_MED = 4_294_967_294;

/** Who advertises: the local AS and this instance. */
export interface Origin {
  readonly asn: number;
  readonly instance: LargeCommunity;
}

export function originOf(asn: number, site: string, instance: string): Origin {
  return { asn, instance: { global: asn, local1: INSTANCE_MARK, local2: fnv1a(`${site}/${instance}`) } };
}

/**
 * The advertisement for a wish; undefined for `none`. `load` where the VIP moves clients by it; MED would not cross an AS,
 * and would break ECMP within a site.
 */
export function advertisementFor(
  prefix: Prefix,
  wish: Wish,
  origin: Origin,
  load?: LoadMark,
): Advertisement | undefined {
  const largeCommunities = [origin.instance];
  switch (wish) {
    case "normal":
      return load === undefined ? { prefix, largeCommunities } : loaded(prefix, origin, load);
    case "last-resort":
      return {
        prefix,
        largeCommunities,
        communities: [GRACEFUL_SHUTDOWN],
        prepend: LAST_RESORT_PREPEND,
        med: LAST_RESORT_MED,
        localPref: LAST_RESORT_LOCAL_PREF,
      };
    case "none":
      return undefined;
  }
}

function loaded(prefix: Prefix, { asn, instance }: Origin, { step, prepend }: LoadMark): Advertisement {
  return { prefix, largeCommunities: [instance, { global: asn, local1: LOAD_MARK, local2: step }], prepend };
}

type SeenPath = Pick<ReceivedPath, "asPath" | "communities" | "largeCommunities">;

/**
 * True when a path that a peer sent is our own advertisement coming back, or may be: a router that strips communities
 * sends it without our mark, and then only the AS at its end tells. A sibling in our AS is known by its own mark.
 */
export function isOurs({ asPath, largeCommunities }: SeenPath, { asn, instance }: Origin): boolean {
  const marks = largeCommunities.filter(({ global, local1 }) => global === asn && local1 === INSTANCE_MARK);
  if (marks.length > 0) return marks.some(({ local2 }) => local2 === instance.local2);
  return (asPath.at(-1) ?? asn) === asn;
}

/** True for a path on last resort: its origin is leaving, or degraded, and hopes for someone else, as we may. */
export function isLeaving({ communities }: SeenPath): boolean {
  return communities.includes(GRACEFUL_SHUTDOWN);
}

/** 32-bit FNV-1a: a stable number for a name, so that an instance keeps its mark across restarts. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
