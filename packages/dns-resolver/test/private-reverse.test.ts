import { SystemClock } from "@stitch/clock";
import type { HostPort } from "@stitch/config";
import { describe, expect, test } from "vitest";
import { arrange } from "../src/places.ts";
import { Claims } from "../src/claims.ts";
import { RouteTable } from "../src/routes.ts";
import { queryFor, view, zoneFrom } from "./fixtures.ts";

const OUTSIDE: HostPort = { address: "198.51.100.53", port: 53 };
const INSIDE: HostPort = { address: "10.0.0.53", port: 53 };

type Routes = readonly (readonly [zone: string, ...upstreams: HostPort[]])[];

/** Who answers for a name: "empty" or the zone's name for local data, else the route's zone. */
function answererOf(name: string, routes: Routes, zones: readonly ReturnType<typeof zoneFrom>[] = []): string {
  const settings = { routes: routes.map(([zone, ...upstreams]) => ({ zone, upstreams })) };
  const placed = arrange(settings, { zones, hosts: [] }, new SystemClock());
  const claims = new Claims(placed.places, RouteTable.of(placed.suffixes, 1));
  const place = claims.at(claims.indexOf(view(queryFor(name, { type: "PTR" }))));
  if (place?.kind === "zone") return zones.includes(place.zone) ? "zone" : "empty";
  return place === undefined ? "nobody" : (placed.routes.get(place.route)?.zone ?? "");
}

describe("RFC 6303 reverse zones", () => {
  test.each([
    "4.3.2.10.in-addr.arpa",
    "1.0.16.172.in-addr.arpa",
    "1.0.31.172.in-addr.arpa",
    "1.1.168.192.in-addr.arpa",
    "1.0.64.100.in-addr.arpa",
    "1.0.127.100.in-addr.arpa",
    "1.1.254.169.in-addr.arpa",
    "1.113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    "1.0.0.d.f.ip6.arpa",
    "0.a.e.f.ip6.arpa",
    "1.8.b.d.0.1.0.0.2.ip6.arpa",
  ])("%s is asked of nobody outside", (name) => {
    expect(answererOf(name, [[".", OUTSIDE]])).toBe("empty");
    expect(answererOf(name, [[".", INSIDE, OUTSIDE]])).toBe("empty");
    expect(answererOf(name, [])).toBe("empty");
    expect(answererOf(name, [[".", INSIDE]])).toBe(".");
  });

  test.each(["1.0.15.172.in-addr.arpa", "1.0.32.172.in-addr.arpa", "1.0.128.100.in-addr.arpa", "8.8.8.8.in-addr.arpa"])(
    "%s is nobody's own, and goes its way",
    (name) => expect(answererOf(name, [[".", OUTSIDE]])).toBe("."),
  );

  test("a route for one of them, or within one, is the operator's word", () => {
    expect(answererOf("4.3.2.10.in-addr.arpa", [["10.in-addr.arpa", OUTSIDE]])).toBe("10.in-addr.arpa");
    const within: Routes = [
      [".", OUTSIDE],
      ["2.10.in-addr.arpa", INSIDE],
    ];
    expect(answererOf("4.3.2.10.in-addr.arpa", within)).toBe("2.10.in-addr.arpa");
    expect(answererOf("4.3.3.10.in-addr.arpa", within)).toBe("empty");
  });

  test("a zone file for one of them is answered from", () => {
    const zone = zoneFrom("$ORIGIN 10.in-addr.arpa.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n4.3.2 PTR host.example.\n");
    expect(answererOf("4.3.2.10.in-addr.arpa", [[".", OUTSIDE]], [zone])).toBe("zone");
  });
});
