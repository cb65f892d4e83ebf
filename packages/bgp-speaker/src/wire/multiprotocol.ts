import { ADDRESS_BYTES, formatAddress, parseAddress, type Family } from "./address.ts";
import { type ByteWriter, u16, u8 } from "./bytes.ts";
import { type Decoded, decoded, refused } from "./decoded.ts";
import { AFI, familyOf, SAFI_UNICAST } from "./family.ts";
import { decodeNlri, encodeNlri, type Prefix } from "./prefix.ts";

/**
 * MP_REACH_NLRI, RFC 4760 section 3: `AFI (2) | SAFI (1) | next hop length (1) | next hop | reserved (1) | NLRI`.
 * RFC 2545: an IPv6 next hop may be 32 octets, global then link-local; only the global one is kept.
 */
export interface MpReach {
  /** Undefined: a family that is not spoken here; its NLRI is not read. */
  readonly family: Family | undefined;
  readonly nextHop: string;
  readonly prefixes: readonly Prefix[];
}

/** MP_UNREACH_NLRI, RFC 4760 section 4: `AFI (2) | SAFI (1) | NLRI`. */
export interface MpUnreach {
  readonly family: Family | undefined;
  readonly prefixes: readonly Prefix[];
}

export function encodeMpReach(writer: ByteWriter, reach: MpReach): void {
  const nextHop = parseAddress(reach.nextHop) ?? new Uint8Array(ADDRESS_BYTES.ipv6);
  writer
    .u16(AFI[reach.family ?? "ipv6"])
    .u8(SAFI_UNICAST)
    .u8(nextHop.length)
    .bytes(nextHop)
    .u8(0);
  encodeNlri(writer, reach.prefixes);
}

export function encodeMpUnreach(writer: ByteWriter, unreach: MpUnreach): void {
  writer.u16(AFI[unreach.family ?? "ipv6"]).u8(SAFI_UNICAST);
  encodeNlri(writer, unreach.prefixes);
}

/** Errors reset the session (RFC 7606 sections 5.3 and 7.11): without the NLRI nobody knows which routes were meant. */
export function decodeMpReach(value: Uint8Array): Decoded<MpReach> {
  if (value.length < 5) return refused(3, 9, `MP_REACH_NLRI of ${value.length} octets`, value.slice());
  const family = familyOf(u16(value, 0), u8(value, 2));
  const hopLength = u8(value, 3);
  const start = 4 + hopLength + 1;
  if (start > value.length) return refused(3, 9, "MP_REACH_NLRI next hop runs past the attribute", value.slice());
  if (family === undefined) return decoded({ family, nextHop: "", prefixes: [] });
  const size = ADDRESS_BYTES[family];
  if (hopLength !== size && !(family === "ipv6" && hopLength === 2 * size)) {
    return refused(3, 9, `MP_REACH_NLRI next hop of ${hopLength} octets`, value.slice());
  }
  const prefixes = decodeNlri(value.subarray(start), family);
  if (!prefixes.ok) return prefixes;
  return decoded({ family, nextHop: formatAddress(value.subarray(4, 4 + size)), prefixes: prefixes.value });
}

export function decodeMpUnreach(value: Uint8Array): Decoded<MpUnreach> {
  if (value.length < 3) return refused(3, 9, `MP_UNREACH_NLRI of ${value.length} octets`, value.slice());
  const family = familyOf(u16(value, 0), u8(value, 2));
  if (family === undefined) return decoded({ family, prefixes: [] });
  const prefixes = decodeNlri(value.subarray(3), family);
  return prefixes.ok ? decoded({ family, prefixes: prefixes.value }) : prefixes;
}
