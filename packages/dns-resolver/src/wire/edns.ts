import { copyBytes, put16, u16, u8 } from "./octets.ts";
import type { Query } from "./query.ts";
import { OPTION, TYPE } from "./registry.ts";

/** What we offer upstreams, and the largest UDP answer that we send: fits one unfragmented IPv6 packet. */
export const EDNS_SIZE = 1_232;
/** RFC 6891 section 6.2.3: smaller values count as this. */
export const SMALLEST_UDP = 512;
/** root name, type, class, TTL, length. */
export const OPT_BYTES = 11;
/** Long option lists cost the receiver and mean nothing (CVE-2026-41292 class). */
const MOST_OPTIONS = 16;
const DO = 0x80;
/** RFC 7873 section 4: a client's cookie alone, or with a server's of 8 to 32 octets; anything else is malformed. */
export const CLIENT_COOKIE = 8;
const SHORTEST_COOKIE = 16;
const LONGEST_COOKIE = 40;

/**
 * Reads the OPT record at `start` (RFC 6891 section 6.1.2) into `query`; returns where it ends, or -1 when it is no
 * well-formed OPT record or the second one.
 *
 *   0  root name   1  type 41   3  UDP size   5  extended rcode   6  version   7  DO, Z   9  RDLENGTH   11  options
 */
export function readOpt(bytes: Uint8Array, start: number, limit: number, query: Query): number {
  if (start + OPT_BYTES > limit || query.edns) return -1;
  if (u8(bytes, start) !== 0 || u16(bytes, start + 1) !== TYPE.OPT) return -1;
  query.edns = true;
  query.udpSize = u16(bytes, start + 3);
  query.ednsVersion = u8(bytes, start + 6);
  query.dnssecOk = (u8(bytes, start + 7) & DO) !== 0;
  const end = start + OPT_BYTES + u16(bytes, start + 9);
  if (end > limit) return -1;
  return query.ednsVersion !== 0 || readOptions(bytes, start + OPT_BYTES, end, query) ? end : -1;
}

/** Options that we know may not come twice (CVE-2026-42944 class); those that we do not know are ignored. */
function readOptions(bytes: Uint8Array, start: number, end: number, query: Query): boolean {
  let seen = 0;
  let at = start;
  for (let count = 0; at < end; count += 1) {
    if (count >= MOST_OPTIONS || at + 4 > end) return false;
    const code = u16(bytes, at);
    const length = u16(bytes, at + 2);
    if (at + 4 + length > end) return false; // nothing is kept of an option whose data may lie behind the datagram
    const bit = code === OPTION.NSID ? 1 : code === OPTION.COOKIE ? 2 : code === OPTION.ECS ? 4 : 0;
    if ((seen & bit) !== 0) return false;
    seen |= bit;
    if (code === OPTION.NSID) query.wantsNsid = true;
    if (code === OPTION.PADDING) query.padded = true;
    if (code === OPTION.COOKIE) {
      if (length !== CLIENT_COOKIE && (length < SHORTEST_COOKIE || length > LONGEST_COOKIE)) return false;
      query.cookieAt = at + 4;
      query.cookieLength = length;
    }
    at += 4 + length;
  }
  return at === end;
}

/** Writes the OPT record of a message of ours without options; returns where it ends. */
export function writeOpt(into: Uint8Array, at: number, rcode: number, dnssecOk: boolean): number {
  into[at] = 0;
  put16(into, at + 1, TYPE.OPT);
  put16(into, at + 3, EDNS_SIZE);
  into[at + 5] = rcode >>> 4;
  into[at + 6] = 0;
  put16(into, at + 7, dnssecOk ? DO << 8 : 0);
  put16(into, at + 9, 0);
  return at + OPT_BYTES;
}

/** Appends one option to the OPT record that begins at `opt` and ends at `at`; returns where it ends now. */
export function writeOption(into: Uint8Array, opt: number, at: number, code: number, data: Uint8Array): number {
  put16(into, at, code);
  put16(into, at + 2, data.length);
  copyBytes(data, 0, data.length, into, at + 4);
  const end = at + 4 + data.length;
  put16(into, opt + 9, end - opt - OPT_BYTES);
  return end;
}
