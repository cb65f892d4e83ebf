import { addressFamily, type Family } from "./wire/address.ts";
import { asSequence } from "./wire/as-path.ts";
import type { PathAttributes } from "./wire/attribute.ts";
import { BLACKHOLE, type LargeCommunity, sortedCommunities, sortedLargeCommunities } from "./wire/community.ts";
import { type ExtendedCommunity, sortedExtendedCommunities } from "./wire/extended-community.ts";
import { canonicalPrefix, formatPrefix, type Prefix } from "./wire/prefix.ts";

/** One prefix this speaker wants its peer to hear, with what distinguishes it from the plain announcement. */
export interface Advertisement {
  readonly prefix: Prefix;
  /** Default: the session's `nextHops` of the family, else its own address, where that is of the family. */
  readonly nextHop?: string;
  readonly med?: number;
  /** How often our AS number stands in the path beyond the one time that it must (eBGP). */
  readonly prepend?: number;
  /** iBGP only; 100 without it. Never sent to another AS. */
  readonly localPref?: number;
  /** RFC 1997, 32 bits each. */
  readonly communities?: readonly number[];
  /** RFC 4360. One of a type that does not cross an AS border is sent all the same: whoever asks for it means it. */
  readonly extendedCommunities?: readonly ExtendedCommunity[];
  readonly largeCommunities?: readonly LargeCommunity[];
}

/** Our own mistake, not an attack: a speaker for service addresses that announces thousands has lost its way. */
export const MAX_ADVERTISEMENTS = 1_024;
/** Keep the attributes of one advertisement well under one message of 4096 octets. */
export const MAX_PREPEND = 32;
export const MAX_COMMUNITIES = 64;

const DEFAULT_LOCAL_PREF = 100;

/** The next hop of a family's prefixes, where the session's own address will not do: IPv6 over an IPv4 session. */
export type NextHops = Readonly<Partial<Record<Family, string>>>;

/** What of a session decides how an advertisement looks on it. */
export interface Outlook {
  readonly localAsn: number;
  readonly internal: boolean;
  readonly localAddress: string;
  readonly nextHops?: NextHops | undefined;
  /** Put on every advertisement. */
  readonly mark?: LargeCommunity | undefined;
}

/** The advertisement with its prefix spelled canonically. Throws RangeError when it cannot be said in BGP, or must not be. */
export function checkedAdvertisement(advertisement: Advertisement): Advertisement {
  const { prefix, nextHop, med, prepend, localPref } = advertisement;
  const { communities = [], extendedCommunities = [], largeCommunities = [] } = advertisement;
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
  within(text, "number of extended communities", extendedCommunities.length, MAX_COMMUNITIES);
  within(text, "number of large communities", largeCommunities.length, MAX_COMMUNITIES);
  const words = largeCommunities.flatMap(({ global, local1, local2 }) => [global, local1, local2]);
  words.push(...extendedCommunities.flatMap(({ high, low }) => [high, low]));
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
  const { prefix, med, prepend = 0, localPref = DEFAULT_LOCAL_PREF } = advertisement;
  const nextHop = advertisement.nextHop ?? outlook.nextHops?.[prefix.family] ?? outlook.localAddress;
  if (addressFamily(nextHop) !== prefix.family) return undefined;
  const path = outlook.internal ? [] : Array.from({ length: 1 + prepend }, () => outlook.localAsn);
  return {
    origin: 0,
    asPath: asSequence(path),
    nextHop,
    ...(med === undefined ? {} : { med }),
    ...(outlook.internal ? { localPref } : {}),
    communities: sortedCommunities(advertisement.communities ?? []),
    extendedCommunities: sortedExtendedCommunities(advertisement.extendedCommunities ?? []),
    largeCommunities: sortedLargeCommunities([
      ...(advertisement.largeCommunities ?? []),
      ...(outlook.mark === undefined ? [] : [outlook.mark]),
    ]),
  };
}

function within(prefix: string, name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= most) return;
  throw new RangeError(`advertisement ${prefix}: ${name} ${value} is not a whole number from 0 to ${most}`);
}
