import { type ByteWriter, u16, u32, u8 } from "./bytes.ts";
import { AS_TRANS, twoOctetAs } from "./open.ts";

/** One segment of AS_PATH, RFC 4271 section 4.3 and RFC 5065: `type (1) | count (1) | AS numbers (2 or 4 octets)`. */
export interface AsPathSegment {
  readonly type: "set" | "sequence" | "confed-sequence" | "confed-set";
  readonly asns: readonly number[];
}

const SEGMENT_TYPES = ["set", "sequence", "confed-sequence", "confed-set"] as const;
const MAX_SEGMENT = 255;

/** A path of one sequence, cut into segments of 255. An empty list is an empty path (iBGP). */
export function asSequence(asns: readonly number[]): AsPathSegment[] {
  const segments: AsPathSegment[] = [];
  for (let at = 0; at < asns.length; at += MAX_SEGMENT) {
    segments.push({ type: "sequence", asns: asns.slice(at, at + MAX_SEGMENT) });
  }
  return segments;
}

/** The AS numbers of a path in order, segment borders forgotten. */
export function flatten(path: readonly AsPathSegment[]): number[] {
  return path.flatMap((segment) => segment.asns);
}

export function encodeAsPath(writer: ByteWriter, path: readonly AsPathSegment[], fourOctet: boolean): void {
  for (const segment of path) {
    writer.u8(SEGMENT_TYPES.indexOf(segment.type) + 1).u8(segment.asns.length);
    for (const asn of segment.asns) {
      if (fourOctet) writer.u32(asn);
      else writer.u16(twoOctetAs(asn));
    }
  }
}

/** A string is why the path is malformed (RFC 7606 section 7.2; AS 0 by RFC 7607). */
export function decodeAsPath(bytes: Uint8Array, fourOctet: boolean): readonly AsPathSegment[] | string {
  const width = fourOctet ? 4 : 2;
  const path: AsPathSegment[] = [];
  for (let at = 0; at < bytes.length;) {
    const type = SEGMENT_TYPES[u8(bytes, at) - 1];
    const count = u8(bytes, at + 1);
    const end = at + 2 + count * width;
    if (type === undefined) return `AS_PATH segment type ${u8(bytes, at)}`;
    if (count === 0) return "AS_PATH segment without AS numbers";
    if (end > bytes.length) return "AS_PATH segment runs past its attribute";
    const start = at + 2;
    const asns = Array.from({ length: count }, (_, index) =>
      fourOctet ? u32(bytes, start + index * width) : u16(bytes, start + index * width),
    );
    if (asns.includes(0)) return "AS 0 in AS_PATH";
    path.push({ type, asns });
    at = end;
  }
  return path;
}

/** Whether a two-octet peer needs AS4_PATH beside AS_PATH (RFC 6793 section 4.2.2). */
export function needsAs4Path(path: readonly AsPathSegment[]): boolean {
  return path.some((segment) => segment.asns.some((asn) => twoOctetAs(asn) === AS_TRANS && asn !== AS_TRANS));
}

/**
 * RFC 6793 section 4.2.3: AS4_PATH holds the true numbers of the newest speakers' part; older hops in front of it are
 * known only in AS_PATH. An AS4_PATH longer than AS_PATH is ignored, and so are confederations in it (section 6).
 */
export function mergeAs4Path(path: readonly AsPathSegment[], as4: readonly AsPathSegment[]): readonly AsPathSegment[] {
  const known = as4.filter(({ type }) => type === "sequence" || type === "set");
  const ahead = hops(path) - hops(known);
  return ahead < 0 ? path : [...firstHops(path, ahead), ...known];
}

/** RFC 4271 section 9.1.2.2 and RFC 5065 section 5.3: a set counts as one hop, a confederation as none. */
function hops(path: readonly AsPathSegment[]): number {
  return path.reduce((sum, { type, asns }) => sum + (type === "sequence" ? asns.length : type === "set" ? 1 : 0), 0);
}

/** So many hops from the front, with the confederations before and right behind them. */
function firstHops(path: readonly AsPathSegment[], count: number): AsPathSegment[] {
  const first: AsPathSegment[] = [];
  let left = count;
  for (const segment of path) {
    const length = hops([segment]);
    if (length > 0 && left === 0) break;
    first.push(segment.type === "sequence" ? { ...segment, asns: segment.asns.slice(0, left) } : segment);
    left -= Math.min(left, length);
  }
  return first;
}
