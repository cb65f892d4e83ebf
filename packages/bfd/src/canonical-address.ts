import { ipv4Text, ipv6Text, parseIPv4, parseIPv6 } from "@stitch/linux-io";

/** The one spelling (RFC 5952) in which addresses are compared; undefined for what is no address, or has a zone. */
export function canonicalAddress(text: string): string | undefined {
  const ipv4 = parseIPv4(text);
  if (ipv4 !== undefined) return ipv4Text(ipv4, 0);
  const ipv6 = parseIPv6(text);
  return ipv6 === undefined ? undefined : ipv6Text(ipv6, 0);
}
