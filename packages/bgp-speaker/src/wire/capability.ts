import type { Family } from "./address.ts";
import { ByteWriter, u16, u32, u8 } from "./bytes.ts";
import { type Decoded, decoded, refused } from "./decoded.ts";
import { AFI, familyOf, SAFI_UNICAST } from "./family.ts";

/**
 * Capabilities, RFC 5492 section 4: `code (1) | length (1) | value`, repeated. Unknown ones are kept as numbers and
 * otherwise ignored, as section 3 asks. Graceful restart (64) is never sent: with it a peer keeps the routes of a dead
 * speaker alive, which is the opposite of what this one is for.
 */
export interface Capabilities {
  /** Multiprotocol families (RFC 4760 section 8) that are spoken here. */
  readonly families: readonly Family[];
  /** Whether any multiprotocol capability was sent; without one, IPv4 unicast is meant. */
  readonly multiprotocol: boolean;
  readonly routeRefresh: boolean;
  /** RFC 7313: marks the begin and the end of what answers a route refresh. */
  readonly enhancedRouteRefresh: boolean;
  /** RFC 6793: the peer's AS number in four octets. Undefined: an old, two-octet speaker. */
  readonly fourOctetAs: number | undefined;
  /** Every code seen, in order of appearance, for display. */
  readonly codes: readonly number[];
}

const MULTIPROTOCOL = 1;
const ROUTE_REFRESH = 2;
const FOUR_OCTET_AS = 65;
const ENHANCED_ROUTE_REFRESH = 70;

const NAMES: Readonly<Record<number, string>> = {
  1: "multiprotocol",
  2: "route-refresh",
  3: "outbound-route-filtering",
  5: "extended-next-hop",
  6: "extended-message",
  9: "role",
  64: "graceful-restart",
  65: "four-octet-as",
  69: "add-path",
  70: "enhanced-route-refresh",
  71: "long-lived-graceful-restart",
  73: "fqdn",
  128: "route-refresh-old",
};

export function capabilityName(code: number): string {
  return NAMES[code] ?? `capability-${code}`;
}

export const NO_CAPABILITIES: Capabilities = {
  families: [],
  multiprotocol: false,
  routeRefresh: false,
  enhancedRouteRefresh: false,
  fourOctetAs: undefined,
  codes: [],
};

export function encodeCapabilities(families: readonly Family[], asn: number): Uint8Array {
  const writer = new ByteWriter().bytes(encodeFamilies(families)).u8(ROUTE_REFRESH).u8(0);
  return writer.u8(FOUR_OCTET_AS).u8(4).u32(asn).u8(ENHANCED_ROUTE_REFRESH).u8(0).finish();
}

/** The multiprotocol capabilities alone. */
export function encodeFamilies(families: readonly Family[]): Uint8Array {
  const writer = new ByteWriter();
  for (const family of families) writer.u8(MULTIPROTOCOL).u8(4).u16(AFI[family]).u8(0).u8(SAFI_UNICAST);
  return writer.finish();
}

/** Adds the capabilities of one optional parameter to those already found; a peer may spread them over several. */
export function decodeCapabilities(bytes: Uint8Array, found: Capabilities): Decoded<Capabilities> {
  let capabilities = found;
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + u8(bytes, at + 1);
    if (at + 2 > bytes.length || end > bytes.length) return refused(2, 0, "capability runs past its parameter");
    const added = withCapability(capabilities, u8(bytes, at), bytes.subarray(at + 2, end));
    if (!added.ok) return added;
    capabilities = added.value;
    at = end;
  }
  return decoded(capabilities);
}

function withCapability(found: Capabilities, code: number, value: Uint8Array): Decoded<Capabilities> {
  const codes = found.codes.includes(code) ? found.codes : [...found.codes, code];
  switch (code) {
    case MULTIPROTOCOL: {
      if (value.length !== 4) return refused(2, 0, `multiprotocol capability of ${value.length} octets`);
      const family = familyOf(u16(value, 0), u8(value, 3));
      const known = family === undefined || found.families.includes(family);
      return decoded({
        ...found,
        codes,
        multiprotocol: true,
        families: known ? found.families : [...found.families, family],
      });
    }
    case ROUTE_REFRESH:
      return decoded({ ...found, codes, routeRefresh: true });
    case ENHANCED_ROUTE_REFRESH:
      return decoded({ ...found, codes, enhancedRouteRefresh: true });
    case FOUR_OCTET_AS:
      if (value.length !== 4) return refused(2, 0, `four-octet AS capability of ${value.length} octets`);
      return decoded({ ...found, codes, fourOctetAs: u32(value, 0) });
    default:
      return decoded({ ...found, codes });
  }
}
