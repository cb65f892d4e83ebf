import { ADDRESS_BYTES, formatAddress, parseAddress, type Family } from "./address.ts";
import { u8, type ByteWriter } from "./bytes.ts";
import { type Decoded, decoded, refused } from "./decoded.ts";

/** An address prefix, host bits zero, e.g. 10.10.10.53/32 or fd00:10:10::53/128. */
export interface Prefix {
  readonly family: Family;
  readonly address: string;
  readonly length: number;
}

/** Reads `address/length`. Refused (undefined): no length, a length beyond the family's, or host bits that are not zero. */
export function parsePrefix(text: string): Prefix | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const bytes = parseAddress(match?.[1] ?? "");
  if (bytes === undefined) return undefined;
  const family = bytes.length === ADDRESS_BYTES.ipv4 ? "ipv4" : "ipv6";
  return canonicalPrefix({ family, address: match?.[1] ?? "", length: Number(match?.[2]) });
}

export function formatPrefix(prefix: Prefix): string {
  return `${prefix.address}/${prefix.length}`;
}

/** The one spelling of a prefix (RFC 5952), so that its text can be a map key. Undefined: not a prefix of its family. */
export function canonicalPrefix(prefix: Prefix): Prefix | undefined {
  const bytes = parseAddress(prefix.address);
  const size = ADDRESS_BYTES[prefix.family];
  if (bytes?.length !== size || !Number.isInteger(prefix.length) || prefix.length < 0 || prefix.length > size * 8) {
    return undefined;
  }
  if (masked(bytes, prefix.length).some((byte, index) => byte !== bytes[index])) return undefined;
  return { family: prefix.family, address: formatAddress(bytes), length: prefix.length };
}

/** NLRI, RFC 4271 section 4.3: `length in bits (1) | as many octets as the bits need`, repeated. */
export function encodeNlri(writer: ByteWriter, prefixes: readonly Prefix[]): void {
  for (const prefix of prefixes) {
    const bytes = parseAddress(prefix.address) ?? new Uint8Array(ADDRESS_BYTES[prefix.family]);
    writer.u8(prefix.length).bytes(bytes.subarray(0, octets(prefix.length)));
  }
}

/** Reads NLRI to the end of `bytes`. Anything unreadable is 3/10, which resets the session: what follows is unknown. */
export function decodeNlri(bytes: Uint8Array, family: Family): Decoded<Prefix[]> {
  const prefixes: Prefix[] = [];
  const size = ADDRESS_BYTES[family];
  for (let at = 0; at < bytes.length;) {
    const length = u8(bytes, at);
    const end = at + 1 + octets(length);
    if (length > size * 8) return refused(3, 10, `${family} prefix of ${length} bits`);
    if (end > bytes.length) return refused(3, 10, `${family} prefix runs past the end of its field`);
    prefixes.push({ family, address: formatAddress(addressAt(bytes, at + 1, end, size, length)), length });
    at = end;
  }
  return decoded(prefixes);
}

/** The octets from `at` to `end` as a whole address; bits beyond the length are "irrelevant" (section 4.3): zero here. */
function addressAt(bytes: Uint8Array, at: number, end: number, size: number, length: number): Uint8Array {
  const address = new Uint8Array(size);
  for (let from = at, to = 0; from < end; from++, to++) address[to] = u8(bytes, from);
  const last = end - at - 1;
  if (length % 8 !== 0) address[last] = u8(address, last) & (0xff << (8 - (length % 8)));
  return address;
}

/** Most octets one prefix of the family takes as NLRI. */
export function nlriSize(family: Family): number {
  return 1 + ADDRESS_BYTES[family];
}

function octets(bits: number): number {
  return (bits + 7) >>> 3;
}

function masked(address: Uint8Array, length: number): Uint8Array {
  return address.map((byte, index) => {
    const keep = Math.min(8, Math.max(0, length - index * 8));
    return byte & ((0xff << (8 - keep)) & 0xff);
  });
}
