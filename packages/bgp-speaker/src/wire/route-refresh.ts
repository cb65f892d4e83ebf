import type { Family } from "./address.ts";
import { ByteWriter, u16, u8 } from "./bytes.ts";
import { type Decoded, decoded, refused } from "./decoded.ts";
import { AFI, familyOf, SAFI_UNICAST } from "./family.ts";
import { encodeMessage } from "./header.ts";

/**
 * ROUTE-REFRESH, RFC 2918 section 3; the third octet is RFC 7313's subtype.
 *
 *     0     2         3      4
 *     | AFI | subtype | SAFI |
 */
export interface RouteRefresh {
  /** Undefined: a family that is not spoken here, to be ignored. */
  readonly family: Family | undefined;
  /** Undefined: a subtype that nobody has registered, to be ignored (RFC 7313 section 5). */
  readonly part: RefreshPart | undefined;
}

/** RFC 7313 section 3.2: a request, and the marks around the routes that answer one (BoRR, EoRR). */
export type RefreshPart = "request" | "begin" | "end";

const PARTS: readonly RefreshPart[] = ["request", "begin", "end"];
const BODY_BYTES = 4;

export function encodeRouteRefresh(family: Family, part: RefreshPart = "request"): Uint8Array {
  const body = new ByteWriter(BODY_BYTES).u16(AFI[family]).u8(PARTS.indexOf(part)).u8(SAFI_UNICAST);
  return encodeMessage("route-refresh", body.finish());
}

/** A length that does not suit is 1/2; between speakers of RFC 7313 (section 5) a mark's is 7/1 with the whole message. */
export function decodeRouteRefresh(body: Uint8Array, enhanced = false): Decoded<RouteRefresh> {
  const part = PARTS[u8(body, 2)];
  if (body.length === BODY_BYTES) return decoded({ family: familyOf(u16(body, 0), u8(body, 3)), part });
  const detail = `route-refresh body of ${body.length} octets`;
  const mark = enhanced && (part === "begin" || part === "end");
  return mark ? refused(7, 1, detail, encodeMessage("route-refresh", body)) : refused(1, 2, detail);
}
