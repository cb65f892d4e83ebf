import { addressFamily } from "./wire/address.ts";
import { asSequence } from "./wire/as-path.ts";
import type { PathAttributes } from "./wire/attribute.ts";
import { BLACKHOLE, type LargeCommunity, sortedCommunities, sortedLargeCommunities } from "./wire/community.ts";
import { canonicalPrefix, formatPrefix, type Prefix } from "./wire/prefix.ts";

/** One prefix this speaker wants its peer to hear, with what distinguishes it from the plain announcement. */
export interface Advertisement {
  readonly prefix: Prefix;
  /** Default: the session's own address, where that is of the prefix's family. */
  readonly nextHop?: string;
  readonly med?: number;
  /** How often our AS number stands in the path beyond the one time that it must (eBGP). */
  readonly prepend?: number;
  /** iBGP only; 100 without it. Never sent to another AS. */
  readonly localPref?: number;
  /** RFC 1997, 32 bits each. */
  readonly communities?: readonly number[];
  readonly largeCommunities?: readonly LargeCommunity[];
}

/** Our own mistake, not an attack: a speaker for service addresses that announces thousands has lost its way. */
export const MAX_ADVERTISEMENTS = 1_024;
/** Keep the attributes of one advertisement well under one message of 4096 octets. */
export const MAX_PREPEND = 32;
export const MAX_COMMUNITIES = 64;

const DEFAULT_LOCAL_PREF = 100;

/** What of a session decides how an advertisement looks on it. */
export interface Outlook {
  readonly localAsn: number;
  readonly internal: boolean;
  readonly localAddress: string;
}

/** The advertisement with its prefix spelled canonically. Throws RangeError when it cannot be said in BGP, or must not be. */
export function checkedAdvertisement(advertisement: Advertisement): Advertisement {
  const { prefix, nextHop, med, prepend, localPref, communities = [], largeCommunities = [] } = advertisement;
  const text = formatPrefix(prefix);
  const canonical = canonicalPrefix(prefix);
  if (canonical === undefined) throw new RangeError(`advertisement ${text}: not a prefix, or host bits are set`);
  if (nextHop !== undefined && addressFamily(nextHop) !== prefix.family) {
    throw new RangeError(`advertisement ${text}: next hop ${nextHop} is not an ${prefix.family} address`);
  }
  within(text, "prepend", prepend ?? 0, MAX_PREPEND);
  for (const [name, value] of [["med", med] as const, ["localPref", localPref] as const]) {
    within(text, name, value ?? 0, 0xffff_ffff);
  }
  within(text, "number of communities", communities.length, MAX_COMMUNITIES);
  within(text, "number of large communities", largeCommunities.length, MAX_COMMUNITIES);
  const words = largeCommunities.flatMap(({ global, local1, local2 }) => [global, local1, local2]);
  for (const word of [...communities, ...words]) within(text, "community", word, 0xffff_ffff);
  if (communities.includes(BLACKHOLE))
    throw new RangeError(`advertisement ${text}: BLACKHOLE (65535:666) is never sent`);
  return { ...advertisement, prefix: canonical };
}

/** The path attributes of an advertisement on a session; undefined where no next hop can be given. */
export function attributesOf(
  advertisement: Advertisement,
  outlook: Outlook,
): (PathAttributes & { readonly nextHop: string }) | undefined {
  const { prefix, nextHop = outlook.localAddress, med, prepend = 0, localPref = DEFAULT_LOCAL_PREF } = advertisement;
  if (addressFamily(nextHop) !== prefix.family) return undefined;
  const path = outlook.internal ? [] : Array.from({ length: 1 + prepend }, () => outlook.localAsn);
  return {
    origin: 0,
    asPath: asSequence(path),
    nextHop,
    ...(med === undefined ? {} : { med }),
    ...(outlook.internal ? { localPref } : {}),
    communities: sortedCommunities(advertisement.communities ?? []),
    largeCommunities: sortedLargeCommunities(advertisement.largeCommunities ?? []),
  };
}

function within(prefix: string, name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= most) return;
  throw new RangeError(`advertisement ${prefix}: ${name} ${value} is not a whole number from 0 to ${most}`);
}
