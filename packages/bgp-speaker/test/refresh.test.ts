import { seconds } from "@stitch/clock";
import { describe, expect, test } from "vitest";

import { formatPrefix, type Prefix, REFRESH_END_WAIT } from "../src/index.ts";
import { AdjRibIn, MAX_WATCHED_ALL } from "../src/adj-rib-in.ts";
import { asSequence } from "../src/wire/as-path.ts";
import {
  decodeRouteRefresh,
  decodeUpdate,
  encodeMessage,
  encodeRouteRefresh,
  encodeUpdate,
  endOfRib,
} from "../src/wire/index.ts";
import { prefix } from "./prefix.ts";
import { Bench, hex, MODERN, type WirePeer } from "./wire-peer.ts";

// Enhanced route refresh, RFC 7313: the sender of routes marks where their repetition begins and ends.

/** A message's header, RFC 4271 section 4.1. */
const HEADER_OCTETS = 19;
const VIP = prefix("10.10.10.53/32");
const NTP = prefix("10.10.10.123/32");

function announce(...prefixes: readonly Prefix[]): Uint8Array {
  const attributes = { origin: 0, asPath: asSequence([65001]), nextHop: "10.1.0.1" };
  return encodeUpdate({ withdrawn: [], attributes, announced: prefixes }, true);
}

/** Routes and refresh messages heard, in order: `begin`, `+10.10.10.53/32`, `end`. */
function heard(router: WirePeer): string[] {
  return router.heard.flatMap(({ type, body }) => {
    if (type === "route-refresh") {
      const read = decodeRouteRefresh(body, true);
      return [read.ok ? (read.value.part ?? "unknown") : "unreadable"];
    }
    const update = type === "update" ? decodeUpdate(body, MODERN) : undefined;
    if (update?.ok !== true || endOfRib(update.value) !== undefined) return [];
    return update.value.announced.map((one) => `+${formatPrefix(one)}`);
  });
}

/** A session with a router that offers enhanced route refresh, as `encodeOpen` does; or with one that does not. */
function established(open: "enhanced" | "plain"): Bench {
  const bench = new Bench({}, { watch: [VIP, NTP] });
  if (open === "enhanced") bench.toEstablished();
  else {
    bench.toOpenSent();
    bench.router.say(encodeMessage("open", hex("04fde900090a010001 10 020e 010400010001 0200 41040000fde9")));
    bench.router.sayKeepalive();
    bench.settle();
  }
  bench.router.heard.length = 0;
  return bench;
}

function paths(bench: Bench): string[] {
  return bench.session.paths.map((path) => formatPrefix(path.prefix)).toSorted();
}

describe("a refresh that the router asks for", () => {
  test("is answered between the marks", () => {
    const bench = established("enhanced");
    bench.session.set([{ prefix: VIP }]);
    bench.router.say(encodeRouteRefresh("ipv4"));
    bench.settle();
    expect(heard(bench.router)).toEqual(["+10.10.10.53/32", "begin", "+10.10.10.53/32", "end"]);
    expect(bench.session.status.sent.messages["route-refresh"]).toBe(2);
  });

  test("is answered with the marks alone when there is nothing to announce", () => {
    const bench = established("enhanced");
    bench.router.say(encodeRouteRefresh("ipv4"));
    bench.settle();
    expect(heard(bench.router)).toEqual(["begin", "end"]);
  });

  test("is answered without marks where the router has not offered them", () => {
    const bench = established("plain");
    bench.session.set([{ prefix: VIP }]);
    bench.router.say(encodeRouteRefresh("ipv4"));
    bench.settle();
    expect(heard(bench.router)).toEqual(["+10.10.10.53/32", "+10.10.10.53/32"]);
  });

  test("waits with its marks for a router that does not read", () => {
    const bench = established("enhanced");
    bench.network.stalled = true;
    const many = Array.from({ length: 1_000 }, (_, i) => prefix(`10.9.${i >> 8}.${i & 255}/32`));
    for (let med = 0; med < 20; med++) bench.session.set(many.map((one) => ({ prefix: one, med })));
    bench.router.say(encodeRouteRefresh("ipv4"));
    bench.settle();
    expect(heard(bench.router)).toEqual([]);
    bench.network.resume();
    bench.settle();
    const told = heard(bench.router);
    expect(told.filter((word) => !word.startsWith("+"))).toEqual(["begin", "end"]);
    expect(told.slice(told.indexOf("begin") + 1, -1)).toHaveLength(1_000);
  });
});

describe("a refresh that we ask for", () => {
  test("drops the paths that the router does not repeat, at its end mark", () => {
    const bench = established("enhanced");
    bench.router.say(announce(VIP, NTP));
    bench.settle();
    bench.session.watch([VIP, NTP]);
    bench.settle();
    expect(heard(bench.router)).toEqual(["request"]);
    bench.router.say(encodeRouteRefresh("ipv4", "begin"));
    bench.router.say(announce(VIP));
    bench.settle();
    expect(paths(bench)).toEqual(["10.10.10.123/32", "10.10.10.53/32"]);
    bench.router.say(encodeRouteRefresh("ipv4", "end"));
    bench.settle();
    expect(paths(bench)).toEqual(["10.10.10.53/32"]);
    expect(bench.of("path").at(-1)).toEqual({ kind: "path", prefix: NTP, path: undefined });
  });

  test("that never ends is ended after its time", () => {
    const bench = established("enhanced");
    bench.router.say(announce(VIP));
    bench.router.say(encodeRouteRefresh("ipv4", "begin"));
    bench.live(seconds(50));
    expect(paths(bench)).toEqual(["10.10.10.53/32"]);
    bench.live(REFRESH_END_WAIT);
    expect(paths(bench)).toEqual([]);
    expect(bench.session.state).toBe("Established");
  });

  test("leaves nothing behind when the session ends in the middle", () => {
    const bench = established("enhanced");
    bench.router.say(encodeRouteRefresh("ipv4", "begin"));
    bench.settle();
    bench.router.close();
    bench.settle();
    expect(bench.clock.waiting).toEqual(["retry"]);
  });

  test("an end without a begin means nothing, and one without the capability is counted", () => {
    const bench = established("enhanced");
    bench.router.say(announce(VIP));
    bench.router.say(encodeRouteRefresh("ipv4", "end"));
    bench.settle();
    expect(paths(bench)).toEqual(["10.10.10.53/32"]);
    const plain = established("plain");
    plain.router.say(encodeRouteRefresh("ipv4", "begin"));
    plain.settle();
    expect(plain.session.status.ignored["refresh-not-applicable"]).toBe(1);
  });
});

test("marks without end cost a router's full view nothing", () => {
  const { view, known } = fullView();
  const began = performance.now();
  for (let mark = 0; mark < 5_000; mark += 1) view.refreshBegun("ipv4");
  // One walk through the view takes a millisecond or more; 5,000 of them would hold the thread for seconds.
  expect(performance.now() - began).toBeLessThan(500);
  view.refreshEnded("ipv4");
  expect(view.paths).toEqual([]);
  expect(known).toBe(MAX_WATCHED_ALL);
});

test("a refresh of one family neither takes nor walks through the other's paths", () => {
  const { view, known } = fullView();
  const began = performance.now();
  for (let round = 0; round < 5_000; round += 1) {
    view.refreshBegun("ipv6");
    view.refreshEnded("ipv6");
  }
  expect(performance.now() - began).toBeLessThan(500);
  expect(view.paths).toHaveLength(known);
});

/** As many paths as are kept of a router that sends more. */
function fullView(): { readonly view: AdjRibIn; readonly known: number } {
  const view = new AdjRibIn({
    watch: [],
    watchAll: MAX_WATCHED_ALL,
    localAsn: 65_101,
    onPath: Boolean,
    onIgnored: Boolean,
  });
  for (let i = 0; i < MAX_WATCHED_ALL; i += 1) {
    const read = decodeUpdate(announce(prefix(`10.${i >> 8}.${i & 255}.0/24`)).subarray(HEADER_OCTETS), MODERN);
    if (read.ok) view.learn(read.value, { families: ["ipv4", "ipv6"], internal: false });
  }
  return { view, known: view.paths.length };
}

describe("a refresh message that does not suit", () => {
  test.each([
    [
      "a mark of five octets between speakers of RFC 7313",
      "enhanced",
      "0001010100",
      `7/1 ${"ff".repeat(16)}0018050001010100`,
    ],
    ["a request of five octets", "enhanced", "0001000100", "1/2"],
    ["a mark of five octets where none was agreed on", "plain", "0001010100", "1/2"],
  ] as const)("%s is answered by the RFC", (_name, open, body, answer) => {
    const bench = established(open);
    bench.router.say(encodeMessage("route-refresh", hex(body)));
    bench.settle();
    expect(bench.router.lastNotification).toBe(answer);
  });

  test("one of an unknown subtype is counted and passed over (RFC 7313 section 5)", () => {
    const bench = established("enhanced");
    bench.router.say(encodeMessage("route-refresh", hex("00010901")));
    bench.settle();
    expect(bench.session.status.ignored["refresh-not-applicable"]).toBe(1);
    expect(bench.session.state).toBe("Established");
  });
});
