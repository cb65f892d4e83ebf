import { type ByteWriter, u32 } from "./bytes.ts";
import { twoOctetAs } from "./open.ts";

/**
 * RFC 4360: 8 octets, `type | subtype | value (6)`, kept as two words of 32 bits. What a type means is the routers'
 * business: an unknown one is no error (RFC 7606 section 7.14).
 */
export interface ExtendedCommunity {
  readonly high: number;
  readonly low: number;
}

const EXTENDED_COMMUNITY_BYTES = 8;

/** Two-octet AS specific (RFC 4360 section 3.1) and four-octet AS specific (RFC 5668), both transitive. */
const TWO_OCTET_AS = 0x00;
const FOUR_OCTET_AS = 0x02;
const SUBTYPES = { rt: 0x02, soo: 0x03 } as const;

/** `rt` is a route target, `soo` a site of origin (section 5: route origin). */
export type ExtendedCommunityKind = keyof typeof SUBTYPES;

/**
 * The community `kind:asn:value`. A number that fits in two octets leaves four for the value, one that does not leaves
 * two. Throws RangeError on what does not fit.
 */
export function extendedCommunity(kind: ExtendedCommunityKind, asn: number, value: number): ExtendedCommunity {
  const wide = twoOctetAs(asn) !== asn;
  const most = wide ? 0xffff : 0xffff_ffff;
  if (!Number.isInteger(asn) || asn < 0 || asn > 0xffff_ffff)
    throw new RangeError(`${kind}: ${asn} is not an AS number`);
  if (!Number.isInteger(value) || value < 0 || value > most)
    throw new RangeError(`${kind}:${asn}: ${value} is not a whole number from 0 to ${most}`);
  const head = (wide ? FOUR_OCTET_AS : TWO_OCTET_AS) * 0x100_0000 + SUBTYPES[kind] * 0x1_0000;
  if (wide) return { high: head + Math.floor(asn / 0x1_0000), low: (asn % 0x1_0000) * 0x1_0000 + value };
  return { high: head + asn, low: value };
}

/** `rt:65101:7`, `soo:65101:7`; any other by its octets: `0x4004fde900000064`. */
export function formatExtendedCommunity({ high, low }: ExtendedCommunity): string {
  const type = high >>> 24;
  const kind = Object.entries(SUBTYPES).find(([, subtype]) => subtype === ((high >>> 16) & 0xff))?.[0];
  if (kind !== undefined && type === TWO_OCTET_AS) return `${kind}:${high & 0xffff}:${low}`;
  if (kind !== undefined && type === FOUR_OCTET_AS) {
    return `${kind}:${(high & 0xffff) * 0x1_0000 + (low >>> 16)}:${low & 0xffff}`;
  }
  return `0x${word(high)}${word(low)}`;
}

function word(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/** Sorted, without duplicates. */
export function sortedExtendedCommunities(communities: readonly ExtendedCommunity[]): ExtendedCommunity[] {
  return communities
    .toSorted((a, b) => a.high - b.high || a.low - b.low)
    .filter(({ high, low }, index, all) => all[index - 1]?.high !== high || all[index - 1]?.low !== low);
}

export function encodeExtendedCommunities(writer: ByteWriter, communities: readonly ExtendedCommunity[]): void {
  for (const { high, low } of communities) writer.u32(high).u32(low);
}

/** RFC 7606 section 7.14: a length that is not a multiple of 8 is malformed, and so is an empty attribute. */
export function decodeExtendedCommunities(value: Uint8Array): ExtendedCommunity[] | string {
  if (value.length === 0 || value.length % EXTENDED_COMMUNITY_BYTES !== 0)
    return `EXTENDED COMMUNITIES of ${value.length} octets`;
  return Array.from({ length: value.length / EXTENDED_COMMUNITY_BYTES }, (_, index) => ({
    high: u32(value, index * EXTENDED_COMMUNITY_BYTES),
    low: u32(value, index * EXTENDED_COMMUNITY_BYTES + 4),
  }));
}
