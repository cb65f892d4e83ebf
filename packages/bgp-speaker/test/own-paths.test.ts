import { describe, expect, test } from "vitest";

import { type Advertisement, extendedCommunity, formatExtendedCommunity } from "../src/index.ts";
import { asSequence } from "../src/wire/as-path.ts";
import { decodeUpdate, encodeOpen, encodeUpdate, type PathAttributes } from "../src/wire/index.ts";
import { prefix } from "./prefix.ts";
import { Bench, INTERNAL, LOCAL, MODERN, ROUTER } from "./wire-peer.ts";

// What our paths look like on the wire, and how they are known when a peer sends them back.

const VIP = prefix("10.10.10.53/32");
const TWIN = prefix("fd00:10:10::53/128");
const MARK = { global: LOCAL.asn, local1: 1, local2: 7 };
const SIBLING = { ...MARK, local2: 8 };

/** The attributes that the router hears for one advertisement. */
function sent(bench: Bench, advertisement: Advertisement, internal = false): PathAttributes | undefined {
  bench.session.set([advertisement]);
  bench.settle();
  const update = bench.router.heard.findLast(({ type }) => type === "update");
  const read = update === undefined ? undefined : decodeUpdate(update.body, internal ? INTERNAL : MODERN);
  return read?.ok === true ? read.value.attributes : undefined;
}

function ibgp(): Bench {
  const bench = new Bench({ asn: LOCAL.asn });
  bench.toOpenSent();
  bench.router.sayOpen({ asn: LOCAL.asn });
  bench.router.sayKeepalive();
  bench.settle();
  expect(bench.session.state).toBe("Established");
  return bench;
}

describe("within one AS (iBGP)", () => {
  test("the path is empty whatever is prepended, the next hop is ours, and LOCAL_PREF is there", () => {
    const attributes = sent(ibgp(), { prefix: VIP, prepend: 3, med: 5, localPref: 250 }, true);
    expect(attributes).toEqual({ origin: 0, asPath: [], nextHop: "127.0.0.1", med: 5, localPref: 250 });
  });

  test("LOCAL_PREF is 100 when nobody says", () => {
    expect(sent(ibgp(), { prefix: VIP }, true)?.localPref).toBe(100);
  });

  test("another AS never hears LOCAL_PREF, and hears our AS once and as often as it is prepended", () => {
    const bench = new Bench();
    bench.toEstablished();
    const attributes = sent(bench, { prefix: VIP, prepend: 2, localPref: 250 }, true);
    expect(attributes).toEqual({
      origin: 0,
      asPath: asSequence([LOCAL.asn, LOCAL.asn, LOCAL.asn]),
      nextHop: "127.0.0.1",
    });
  });
});

function overIpv4(nextHops?: { ipv6: string }): Bench {
  const made = new Bench({}, { families: ["ipv4", "ipv6"], ...(nextHops && { nextHops }) });
  made.toOpenSent();
  made.router.say(encodeOpen({ ...ROUTER, holdTime: 9, families: ["ipv4", "ipv6"] }));
  made.router.sayKeepalive();
  made.settle();
  return made;
}

describe("IPv6 prefixes over an IPv4 session", () => {
  test("take the session's next hop for IPv6, or their own", () => {
    const session = overIpv4({ ipv6: "fd00:99::2" });
    expect(sent(session, { prefix: TWIN })?.mpReach?.nextHop).toBe("fd00:99::2");
    expect(sent(session, { prefix: TWIN, nextHop: "fd00:99::3" })?.mpReach?.nextHop).toBe("fd00:99::3");
  });

  test("are not sent without one", () => {
    const session = overIpv4();
    session.session.set([{ prefix: TWIN }]);
    expect(session.session.status.unsendable).toEqual([{ prefix: "fd00:10:10::53/128", reason: "no-next-hop" }]);
  });
});

describe("extended communities (RFC 4360, RFC 5668)", () => {
  test.each([
    [extendedCommunity("rt", 65101, 4_000_000_000), "rt:65101:4000000000"],
    [extendedCommunity("soo", 4_200_000_000, 9), "soo:4200000000:9"],
    [{ high: 0x4004_fde9, low: 100 }, "0x4004fde900000064"],
  ])("%o is written %s", (community, text) => {
    expect(formatExtendedCommunity(community)).toBe(text);
  });

  test.each([
    [4_200_000_000, 65_536],
    [65101, 2 ** 32],
    [-1, 0],
    [65101, 0.5],
  ])("rt:%s:%s cannot be had", (asn, value) => {
    expect(() => extendedCommunity("rt", asn, value)).toThrow(RangeError);
  });

  test("go out sorted, without duplicates", () => {
    const bench = new Bench();
    bench.toEstablished();
    const [a, b] = [extendedCommunity("rt", 65101, 1), extendedCommunity("rt", 65101, 2)];
    expect(sent(bench, { prefix: VIP, extendedCommunities: [b, a, b] })?.extendedCommunities).toEqual([a, b]);
  });

  test("too many, and words that are none, are refused", () => {
    const { session } = new Bench();
    const many = Array.from({ length: 65 }, (_, low) => ({ high: 0, low }));
    expect(() => session.set([{ prefix: VIP, extendedCommunities: many }])).toThrow("extended communities 65");
    expect(() => session.set([{ prefix: VIP, extendedCommunities: [{ high: -1, low: 0 }] }])).toThrow("community -1");
  });
});

describe("the mark of this instance", () => {
  test("is on every advertisement, once", () => {
    const bench = new Bench({}, { mark: MARK });
    bench.toEstablished();
    expect(sent(bench, { prefix: VIP, largeCommunities: [SIBLING, MARK] })?.largeCommunities).toEqual([MARK, SIBLING]);
    expect(sent(bench, { prefix: VIP })?.largeCommunities).toEqual([MARK]);
  });

  test.each([
    ["our mark", [65001, 65101], [MARK], "this"],
    ["a sibling's mark", [65001, 65101], [SIBLING], "sibling"],
    ["both marks, after an aggregation", [65001, 65101], [SIBLING, MARK], "this"],
    ["no mark and our AS at its end", [65001, 65101], [], "unmarked"],
    ["no mark and an empty path", [], [], "unmarked"],
    ["no mark and another AS at its end", [65001, 65102], [], "foreign"],
    ["a foreign community of the same numbers", [65001, 65102], [{ ...MARK, global: 65102 }], "foreign"],
  ] as const)("a path with %s", (_name, asPath, largeCommunities, origin) => {
    const bench = new Bench({}, { mark: MARK, watch: [VIP] });
    bench.toEstablished();
    const attributes = { origin: 0, asPath: asSequence(asPath), nextHop: "10.1.0.1", largeCommunities };
    bench.router.say(encodeUpdate({ withdrawn: [], attributes, announced: [VIP] }, true));
    bench.settle();
    expect(bench.session.paths[0]?.origin).toBe(origin);
  });
});
