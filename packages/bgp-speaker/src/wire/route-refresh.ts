import type { Family } from "./address.ts";
import { ByteWriter, u16, u8 } from "./bytes.ts";
import { type Decoded, decoded, refused } from "./decoded.ts";
import { AFI, familyOf, SAFI_UNICAST } from "./family.ts";
import { encodeMessage } from "./header.ts";

/**
 * ROUTE-REFRESH, RFC 2918 section 3; the third octet is RFC 7313's subtype (0 is the plain request).
 *
 *     0     2         3      4
 *     | AFI | subtype | SAFI |
 */
export interface RouteRefresh {
  /** Undefined: a family that is not spoken here, to be ignored. */
  readonly family: Family | undefined;
  readonly subtype: number;
}

export function encodeRouteRefresh(family: Family): Uint8Array {
  return encodeMessage("route-refresh", new ByteWriter(4).u16(AFI[family]).u8(0).u8(SAFI_UNICAST).finish());
}

export function decodeRouteRefresh(body: Uint8Array): Decoded<RouteRefresh> {
  if (body.length !== 4) return refused(1, 2, `route-refresh body of ${body.length} octets`);
  return decoded({ family: familyOf(u16(body, 0), u8(body, 3)), subtype: u8(body, 2) });
}
