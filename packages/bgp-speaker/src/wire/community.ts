import { type ByteWriter, u32 } from "./bytes.ts";

/** RFC 8326: "this path is about to go away"; a router that honours it prefers every other path. */
export const GRACEFUL_SHUTDOWN = 0xffff_0000;
/** RFC 7999: asks routers to drop the traffic. Never sent: one such mark would empty the address it is put on. */
export const BLACKHOLE = 0xffff_029a;

/** RFC 8092: 12 octets, `global | local1 | local2`. */
export interface LargeCommunity {
  readonly global: number;
  readonly local1: number;
  readonly local2: number;
}

const LARGE_BYTES = 12;

/** The 32 bits of `asn:value`, both of 16 bits; written without a shift, whose result would be signed. */
export function communityOf(asn: number, value: number): number {
  return asn * 0x1_0000 + value;
}

/** `65535:0` */
export function formatCommunity(community: number): string {
  return `${community >>> 16}:${community & 0xffff}`;
}

/** `65101:1:7` */
export function formatLargeCommunity({ global, local1, local2 }: LargeCommunity): string {
  return `${global}:${local1}:${local2}`;
}

export function sortedCommunities(communities: readonly number[]): number[] {
  return [...new Set(communities)].toSorted((a, b) => a - b);
}

/** RFC 8092 section 5: duplicates are not sent. */
export function sortedLargeCommunities(communities: readonly LargeCommunity[]): LargeCommunity[] {
  return communities
    .toSorted((a, b) => a.global - b.global || a.local1 - b.local1 || a.local2 - b.local2)
    .filter((community, index, all) => {
      const previous = all[index - 1];
      return previous === undefined || formatLargeCommunity(previous) !== formatLargeCommunity(community);
    });
}

export function encodeLargeCommunities(writer: ByteWriter, communities: readonly LargeCommunity[]): void {
  for (const { global, local1, local2 } of communities) writer.u32(global).u32(local1).u32(local2);
}

/** RFC 1997; RFC 7606 section 7.8: a length that is not a multiple of 4 is malformed, and so is an empty attribute. */
export function decodeCommunities(value: Uint8Array): number[] | string {
  if (value.length === 0 || value.length % 4 !== 0) return `COMMUNITIES of ${value.length} octets`;
  return Array.from({ length: value.length / 4 }, (_, index) => u32(value, index * 4));
}

export function decodeLargeCommunities(value: Uint8Array): LargeCommunity[] | string {
  if (value.length === 0 || value.length % LARGE_BYTES !== 0) return `LARGE_COMMUNITY of ${value.length} octets`;
  return Array.from({ length: value.length / LARGE_BYTES }, (_, index) => ({
    global: u32(value, index * LARGE_BYTES),
    local1: u32(value, index * LARGE_BYTES + 4),
    local2: u32(value, index * LARGE_BYTES + 8),
  }));
}
