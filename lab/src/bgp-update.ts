import { ipv4Text, ipv6Text } from "@stitch/linux-io";

// An UPDATE (RFC 4271 section 4.3), read by the ruler itself: what is measured does not read it for us.
//
//   header 19 | withdrawn length 2 | withdrawn IPv4 prefixes | attributes length 2 | attributes | IPv4 prefixes
const HEADER = 19;
/** MP_UNREACH_NLRI (RFC 4760 section 4): AFI 2, SAFI 1, prefixes. */
const MP_UNREACH = 15;
const AFI_IPV6 = 2;
const EXTENDED_LENGTH = 0x10;
const BYTES = { ipv4: 4, ipv6: 16 } as const;

/** Addresses of the host routes that an UPDATE withdraws; other prefixes are not the lab's. Never throws on what was captured. */
export function withdrawnIn(update: Uint8Array): string[] {
  const length = u16(update, HEADER);
  const attributes = HEADER + 2 + length;
  const end = attributes + 2 + u16(update, attributes);
  return [
    ...hostRoutes(update.subarray(HEADER + 2, attributes), "ipv4"),
    ...unreachable(update.subarray(attributes + 2, end)),
  ];
}

function unreachable(attributes: Uint8Array): string[] {
  for (let at = 0; at + 3 <= attributes.length;) {
    const extended = ((attributes[at] ?? 0) & EXTENDED_LENGTH) !== 0;
    const length = extended ? u16(attributes, at + 2) : (attributes[at + 2] ?? 0);
    const value = attributes.subarray(at + (extended ? 4 : 3)).subarray(0, length);
    if (attributes[at + 1] === MP_UNREACH)
      return u16(value, 0) === AFI_IPV6 ? hostRoutes(value.subarray(3), "ipv6") : [];
    at += (extended ? 4 : 3) + length;
  }
  return [];
}

function hostRoutes(prefixes: Uint8Array, family: keyof typeof BYTES): string[] {
  const found: string[] = [];
  for (let at = 0; at < prefixes.length;) {
    const bits = prefixes[at] ?? 0;
    const address = prefixes.subarray(at + 1, at + 1 + Math.ceil(bits / 8));
    if (bits === BYTES[family] * 8 && address.length === BYTES[family])
      found.push(family === "ipv4" ? ipv4Text(address, 0) : ipv6Text(address, 0));
    at += 1 + Math.ceil(bits / 8);
  }
  return found;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
