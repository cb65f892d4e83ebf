import type { Advertisement } from "@stitch/bgp-speaker";
import { FakeClock } from "@stitch/clock/testing";
import { SiteDocument } from "@stitch/config";
import { expect, test } from "vitest";
import { announcerConfig } from "../src/config.ts";
import { Journal } from "../src/journal.ts";
import { familiesOf } from "../src/main.ts";
import { Peer, type RouteSession } from "../src/peer.ts";
import { advertisementFor, originOf } from "../src/route/advertisement.ts";

function config(nextHop: string, prefixes: readonly string[]) {
  const vips = prefixes.map((prefix) => `{ prefix: "${prefix}", service: dns, check: { lease: "http://[::1]:8153" } }`);
  const text = `site: nyc
announcer:
  asn: 65101
  routerId: 10.1.0.10
  peers: [ { address: 10.1.0.1, asn: 65100, nextHop: "${nextHop}" } ]
  vips: [ ${vips.join(", ")} ]
`;
  return announcerConfig(SiteDocument.parse(text, "site.yaml"));
}

const BOTH = ["10.10.10.53/32", "FD00:10:10:0::53/128"];

test("a next hop is given to the routes of its own family; the other keeps the session's address", () => {
  const { asn, peers, vips } = config("fd00::10", BOTH);
  const [peerConfig] = peers;
  if (peerConfig === undefined) throw new Error("no peer");
  let heard: readonly Advertisement[] = [];
  const session = { set: (all: readonly Advertisement[]) => void (heard = all) } as RouteSession;
  const origin = originOf(asn, "nyc", "nyc-1");
  const journal = new Journal(undefined, new FakeClock(), (failure) => expect.fail(failure.message));
  const peer = new Peer({ config: peerConfig, journal, origin, onPaths: () => undefined }, () => session);
  peer.set(vips.flatMap(({ prefix }) => advertisementFor(prefix, "normal", origin) ?? []));
  expect(heard.map(({ prefix, nextHop }) => [prefix.address, nextHop])).toEqual([
    ["10.10.10.53", undefined],
    ["fd00:10:10::53", "fd00::10"],
  ]);
});

test("a session offers the families of its VIPs, IPv4 always", () => {
  expect(familiesOf(config("fd00::10", BOTH))).toEqual(["ipv4", "ipv6"]);
  expect(familiesOf(config("fd00::10", BOTH.slice(1)))).toEqual(["ipv4", "ipv6"]);
  expect(familiesOf(config("10.1.0.10", BOTH.slice(0, 1)))).toEqual(["ipv4"]);
});
