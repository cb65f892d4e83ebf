import type { Family } from "./address.ts";

/** Address family identifiers (IANA) of the families spoken here; the subsequent identifier is always unicast. */
export const AFI: Readonly<Record<Family, number>> = { ipv4: 1, ipv6: 2 };
export const SAFI_UNICAST = 1;

/** The family of an AFI/SAFI pair, or undefined for one that is not spoken here. */
export function familyOf(afi: number, safi: number): Family | undefined {
  if (safi !== SAFI_UNICAST) return undefined;
  if (afi === AFI.ipv4) return "ipv4";
  return afi === AFI.ipv6 ? "ipv6" : undefined;
}
