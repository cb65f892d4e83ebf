import { AllowList } from "../allow-list.ts";
import { INSIDE } from "../inside.ts";
import { isBelow, parseName } from "../wire/name.ts";
import { endpointRecord } from "@stitch/linux-io";
import type { NumberedRoute } from "../route-book.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { soaFor } from "./built-in.ts";
import { LocalZone } from "./local-zone.ts";

/** RFC 6303 section 4 and RFC 7793: reverse zones of addresses that mean something else at every site, or nothing anywhere. */
const ZONES: readonly string[] = [
  "10.in-addr.arpa",
  ...Array.from({ length: 16 }, (_, i) => `${16 + i}.172.in-addr.arpa`),
  "168.192.in-addr.arpa",
  ...Array.from({ length: 64 }, (_, i) => `${64 + i}.100.in-addr.arpa`),
  "0.in-addr.arpa",
  "254.169.in-addr.arpa",
  "2.0.192.in-addr.arpa",
  "100.51.198.in-addr.arpa",
  "113.0.203.in-addr.arpa",
  "255.255.255.255.in-addr.arpa",
  `${"0.".repeat(32)}ip6.arpa`,
  "d.f.ip6.arpa",
  ...["8", "9", "a", "b"].map((nibble) => `${nibble}.e.f.ip6.arpa`),
  "8.b.d.0.1.0.0.2.ip6.arpa",
];

const INSIDERS = new AllowList(INSIDE);

/**
 * Empty zones for those of them that would be asked of a server outside: what is private is nobody's business there, and the
 * answer could only be wrong. Where the route for a zone has upstreams inside alone, they are asked: they may well know.
 */
export function privateReverseZones(routes: readonly NumberedRoute[]): LocalZone[] {
  return ZONES.map((text) => parseName(text) ?? new Uint8Array())
    .filter((name) => !isAskedInside(name, routes))
    .map((name) => new LocalZone(name, soaFor(name)));
}

function isAskedInside(name: Uint8Array, routes: readonly NumberedRoute[]): boolean {
  const above = routes.map(({ route }) => route).filter((route) => isBelow(name, route.name));
  const longest = above.toSorted((a, b) => b.name.length - a.name.length)[0];
  return longest !== undefined && longest.upstreams.every(isInside);
}

function isInside({ target }: Upstream): boolean {
  const record = endpointRecord(target);
  return record !== undefined && INSIDERS.allows(record, 0);
}
