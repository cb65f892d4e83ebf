import { milliseconds, minutes, seconds } from "@stitch/clock";
import { describe, expect, test } from "vitest";

import { formatPrefix, GRACEFUL_SHUTDOWN } from "../src/index.ts";
import {
  decodeUpdate,
  encodeMessage,
  encodeRouteRefresh,
  encodeUpdate,
  encodeWithdrawals,
  endOfRib,
} from "../src/wire/index.ts";
import { asSequence } from "../src/wire/as-path.ts";
import { prefix } from "./prefix.ts";
import { Bench, hex, MODERN, ROUTER } from "./wire-peer.ts";

const VIP = prefix("10.10.10.53/32");
const FAILED = "Connect -> Active (tcp-failed)";

/** The UPDATEs the router heard: `+10.10.10.53/32`, `-10.10.10.53/32`, `eor`. */
function updates(bench: Bench): string[] {
  return bench.router.heard.flatMap((framed) => {
    if (framed.type !== "update") return [];
    const update = decodeUpdate(framed.body, MODERN);
    if (!update.ok) return ["unreadable"];
    if (endOfRib(update.value) !== undefined) return ["eor"];
    const { withdrawn, announced } = update.value;
    return [...withdrawn.map((gone) => `-${formatPrefix(gone)}`), ...announced.map((come) => `+${formatPrefix(come)}`)];
  });
}

describe("the way up", () => {
  test("passes every state in order", () => {
    const bench = new Bench();
    bench.toEstablished();
    expect(bench.story).toEqual([
      "Idle -> Connect (started)",
      "Connect -> OpenSent (tcp-connected)",
      "OpenSent -> OpenConfirm (open-accepted)",
      "OpenConfirm -> Established (established)",
    ]);
    expect(bench.router.types).toBe("open keepalive update");
    expect(updates(bench)).toEqual(["eor"]);
  });

  test("offers multiprotocol, both route refreshes and a four-octet AS, and never graceful restart", () => {
    const bench = new Bench();
    bench.toOpenSent();
    const body = bench.router.heard[0]?.body ?? new Uint8Array();
    expect(Buffer.from(body).toString("hex")).toBe("04fe4d00090a01000a120210010400010001020041040000fe4d4600");
  });

  test("announces what was wanted before the session was up, then End-of-RIB", () => {
    const bench = new Bench();
    bench.session.set([{ prefix: VIP, communities: [GRACEFUL_SHUTDOWN] }]);
    bench.toEstablished();
    expect(updates(bench)).toEqual(["+10.10.10.53/32", "eor"]);
    expect(bench.of("update-sent")).toEqual([{ kind: "update-sent", announced: [VIP], withdrawn: [] }]);
  });

  test("start twice is start once", () => {
    const bench = new Bench();
    bench.session.start();
    bench.session.start();
    bench.settle();
    expect(bench.router.connections).toBe(1);
  });

  test("an OPEN spread over several parameters with unknown capabilities is accepted", () => {
    const bench = new Bench();
    bench.toOpenSent();
    const parameters = "0206 010400010001 0203 c80107 0206 41040000fde9 0202 0200";
    bench.router.say(
      encodeMessage("open", hex(`04fde9000a0a010001${hex(parameters).length.toString(16)}${parameters}`)),
    );
    bench.settle();
    expect(bench.session.state).toBe("OpenConfirm");
    expect(bench.session.status.capabilities).toEqual([
      "multiprotocol",
      "capability-200",
      "four-octet-as",
      "route-refresh",
    ]);
  });
});

describe("an OPEN that does not suit", () => {
  const cases = [
    ["wrong AS", { asn: 65002 }, "2/2", "wrong-as"],
    ["hold time zero", { holdTime: 0 }, "2/6", "unacceptable-hold-time"],
    ["hold time of two seconds", { holdTime: 2 }, "2/6", "unacceptable-hold-time"],
    ["router id zero", { routerId: "0.0.0.0" }, "2/3", "no-router-id"],
    ["no family in common", { families: ["ipv6"] }, "2/7 010400010001", "no-common-family"],
  ] as const;

  test.each(cases)("%s is refused", (_name, changes, notification, reason) => {
    const bench = new Bench();
    bench.toOpenSent();
    bench.router.sayOpen(changes as Parameters<typeof bench.router.sayOpen>[0]);
    bench.settle();
    expect(bench.router.lastNotification).toBe(notification);
    expect(bench.story.at(-1)).toBe(`OpenSent -> Idle (${reason})`);
  });

  test("is tried again only after 30 to 60 seconds", () => {
    const bench = new Bench();
    bench.toOpenSent();
    bench.router.sayOpen({ asn: 65002 });
    bench.settle();
    bench.advance(seconds(44));
    expect(bench.session.state).toBe("Idle");
    bench.advance(seconds(2));
    expect(bench.router.connections).toBe(2);
  });

  test("of a router that has no identifier yet, because it boots, is asked for again in a second", () => {
    const bench = new Bench();
    bench.toOpenSent();
    bench.router.sayOpen({ routerId: "0.0.0.0" });
    bench.settle();
    bench.advance(seconds(1));
    expect(bench.router.connections).toBe(2);
  });

  test("an unknown version is answered with the version spoken here", () => {
    const bench = new Bench();
    bench.toOpenSent();
    bench.router.say(encodeMessage("open", hex("03fde900090a01000100")));
    bench.settle();
    expect(bench.router.lastNotification).toBe("2/1 0004");
    expect(bench.session.status.reason).toBe("unsupported-version");
  });

  test("an optional parameter other than capabilities is named as such", () => {
    const bench = new Bench();
    bench.toOpenSent();
    bench.router.say(encodeMessage("open", hex("04fde900090a01000103010100")));
    bench.settle();
    expect(bench.router.lastNotification).toBe("2/4");
    expect(bench.session.status.reason).toBe("unsupported-parameter");
  });
});

describe("bytes that are no message", () => {
  const ones = "f".repeat(32);
  const cases = [
    ["a marker that is not all ones", `00${"ff".repeat(15)}001304`, "1/1"],
    ["a length below the header", `${ones}001204`, "1/2 0012"],
    ["a length above 4096", `${ones}100104`, "1/2 1001"],
    ["an unknown type", `${ones}001309`, "1/3 09"],
    ["a KEEPALIVE with a body", `${ones}00140400`, "1/2 0014"],
    ["an UPDATE whose attributes run past its end", `${ones}00170200000001`, "3/1"],
    ["an UPDATE with a prefix of 33 bits", `${ones}001d0200000000210a0a0a0a0a`, "3/10"],
  ] as const;

  test.each(cases)("%s end the session with %s", (_name, bytes, notification) => {
    const bench = new Bench();
    bench.toEstablished();
    bench.router.say(hex(bytes));
    bench.settle();
    expect(bench.router.lastNotification).toBe(notification);
    expect(bench.story.at(-1)).toBe("Established -> Idle (malformed)");
  });
});

describe("BFD says that the path is broken (RFC 5882, RFC 9384)", () => {
  test("the session closes at once with Cease/10 and comes back with the ordinary back-off", () => {
    const bench = new Bench();
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    bench.session.bfdDown();
    expect(bench.session.state).toBe("Idle");
    bench.settle();
    expect(bench.router.lastNotification).toBe("6/10");
    expect(bench.router.open).toBe(false);
    expect(bench.story.at(-1)).toBe("Established -> Idle (bfd-down)");
    bench.advance(milliseconds(700));
    expect(bench.router.connections).toBe(1);
    bench.advance(milliseconds(400));
    expect(bench.router.connections).toBe(2);
  });

  test("start comes back at once", () => {
    const bench = new Bench();
    bench.toEstablished();
    bench.session.bfdDown();
    bench.session.start();
    bench.settle();
    expect(bench.router.connections).toBe(2);
    bench.advance(seconds(2));
    expect(bench.router.connections).toBe(2);
  });

  test("is nothing to a session that has no connection", () => {
    const bench = new Bench();
    bench.session.bfdDown();
    expect(bench.story).toEqual([]);
    expect(bench.clock.waiting).toEqual([]);
  });
});

describe("a message in the wrong state", () => {
  test("is answered with the code of the state (RFC 6608)", () => {
    const answers = (["toOpenSent", "toOpenConfirm", "toEstablished"] as const).map((reach) => {
      const bench = new Bench();
      bench[reach]();
      if (reach === "toOpenSent") bench.router.sayKeepalive();
      else bench.router.sayOpen();
      bench.settle();
      return [bench.router.lastNotification, bench.session.status.reason];
    });
    expect(answers).toEqual([
      ["5/1 04", "unexpected-message"],
      ["5/2 01", "unexpected-message"],
      ["5/3 01", "unexpected-message"],
    ]);
  });

  test("an UPDATE before the first KEEPALIVE is too early", () => {
    const bench = new Bench();
    bench.toOpenConfirm();
    bench.router.say(encodeWithdrawals([VIP], "ipv4")[0] ?? new Uint8Array());
    bench.settle();
    expect(bench.router.lastNotification).toBe("5/2 02");
  });
});

describe("time", () => {
  test("a router that says nothing after the connection is given ten seconds", () => {
    const bench = new Bench();
    bench.toOpenSent();
    bench.advance(milliseconds(10_100));
    expect(bench.router.lastNotification).toBe("4/0");
    expect(bench.story.at(-1)).toBe("OpenSent -> Idle (open-timeout)");
  });

  test("a silent router is let go after the hold time, and not before", () => {
    const bench = new Bench();
    bench.toEstablished();
    bench.advance(milliseconds(8_900));
    expect(bench.session.state).toBe("Established");
    bench.advance(milliseconds(200));
    expect(bench.session.state).toBe("Idle");
    expect(bench.router.lastNotification).toBe("4/0");
    expect(bench.session.status.reason).toBe("hold-timer-expired");
  });

  test("a KEEPALIVE that is read just after the hold timer fired saves the session: our process was late, not the peer", () => {
    const bench = new Bench();
    bench.toEstablished();
    bench.advance(milliseconds(9_000));
    bench.router.sayKeepalive();
    bench.live(seconds(30));
    expect(bench.session.state).toBe("Established");
    expect(bench.session.status.established).toBe(1);
  });

  test("the smaller hold time counts, and a third of it is the keepalive interval, with jitter", () => {
    const bench = new Bench({ holdTime: seconds(90) });
    bench.toOpenSent();
    bench.router.sayOpen({ holdTime: 30 });
    bench.settle();
    bench.router.sayKeepalive();
    bench.settle();
    const before = bench.session.status.sent.messages.keepalive;
    bench.live(seconds(100));
    expect(bench.session.status.holdTime).toBe(seconds(30));
    // 10 s times 0.875 (random is 0.5 here) fits 11 times into 100 s.
    expect(bench.session.status.sent.messages.keepalive - before).toBe(11);
  });

  test("a hold time of three seconds means a KEEPALIVE a second", () => {
    const bench = new Bench({ holdTime: seconds(3) });
    bench.toEstablished();
    bench.live(seconds(20));
    const sent = bench.session.status.sent.messages.keepalive;
    expect(sent).toBeGreaterThanOrEqual(20);
    expect(sent).toBeLessThanOrEqual(24);
  });

  test("a router that takes no data is dropped after twice the hold time (RFC 9687)", () => {
    const bench = new Bench();
    bench.toEstablished();
    bench.network.stalled = true;
    bench.live(seconds(18));
    expect(bench.session.state).toBe("Established");
    bench.live(seconds(3));
    expect(bench.story).toContain("Established -> Idle (send-hold-expired)");
  });

  test("a router that takes data again in time keeps the session", () => {
    const bench = new Bench();
    bench.toEstablished();
    bench.network.stalled = true;
    bench.live(seconds(17));
    bench.network.resume();
    bench.live(seconds(60));
    expect(bench.session.status.established).toBe(1);
    expect(bench.session.state).toBe("Established");
  });
});

describe("notifications from the router", () => {
  test("an unacceptable hold time is raised to 30, then to 90 seconds, then waited for", () => {
    const bench = new Bench();
    bench.session.start();
    const offers: number[] = [];
    for (let round = 0; round < 3; round++) {
      bench.settle();
      offers.push(bench.session.status.offeredHoldTime / 1_000);
      bench.router.notify(2, 6);
      bench.settle();
      bench.advance(seconds(2));
    }
    expect(offers).toEqual([9, 30, 90]);
    expect(bench.session.state).toBe("Idle");
    expect(bench.session.status.reason).toBe("open-refused-by-peer");
  });

  const paces = [
    ["a collision (Cease/7) is tried again in one to two seconds", 6, 7, "collision", 1_400, 1_600],
    ["an administrative shutdown is tried again in about a second", 6, 2, "peer-shutdown", 800, 950],
    ["a prefix limit (Cease/1) is tried again in 30 to 60 seconds", 6, 1, "prefix-limit", 44_000, 46_000],
    ["a refused OPEN is tried again in 30 to 60 seconds", 2, 2, "open-refused-by-peer", 44_000, 46_000],
    ["anything else is tried again in about a second", 3, 1, "peer-notification", 800, 950],
  ] as const;

  test.each(paces)("%s", (_name, code, subcode, reason, notYet, then) => {
    const bench = new Bench();
    bench.toOpenSent();
    bench.router.notify(code, subcode);
    bench.settle();
    expect(bench.session.status.reason).toBe(reason);
    bench.advance(milliseconds(notYet - 20));
    expect(bench.router.connections).toBe(1);
    bench.advance(milliseconds(then - notYet));
    expect(bench.router.connections).toBe(2);
  });

  test("a text is shown without what could move a cursor", () => {
    const bench = new Bench();
    bench.toEstablished();
    bench.router.say(encodeMessage("notification", hex("0602 07 6f6b1b5b316dff")));
    bench.settle();
    expect(bench.of("notification")[0]).toMatchObject({
      name: "Cease/Administrative Shutdown",
      text: "ok\u{fffd}[1m\u{fffd}",
    });
  });
});

describe("reconnecting", () => {
  test("climbs from one to ten seconds while nobody answers", () => {
    const bench = new Bench({ address: "127.0.0.9" });
    bench.session.start();
    const attempts: number[] = [];
    for (let tick = 0; tick < 6_000; tick++) {
      const seen = bench.story.filter((line) => line === FAILED).length;
      bench.advance(milliseconds(10));
      if (bench.story.filter((line) => line === FAILED).length > seen) attempts.push(bench.clock.now());
    }
    const waits = attempts.slice(1).map((at, index) => Math.round((at - (attempts[index] ?? 0)) / 125) / 8);
    // 1, 2, 5, 10, 10 ... times 0.875
    expect(waits.slice(0, 5)).toEqual([0.875, 1.75, 4.375, 8.75, 8.75]);
  });

  test("starts at the bottom again only after a session that outlived its hold time", () => {
    const waits = [seconds(1), seconds(20)].map((age) => {
      const bench = new Bench();
      bench.toEstablished();
      bench.live(age);
      bench.router.close();
      bench.settle();
      bench.advance(seconds(1));
      bench.router.sayOpen();
      bench.settle();
      bench.router.sayKeepalive();
      bench.settle();
      expect(bench.session.state).toBe("Established");
      bench.live(age);
      bench.router.close();
      bench.settle();
      const before = bench.clock.now();
      while (bench.session.state === "Idle") bench.advance(milliseconds(25));
      return Math.round((bench.clock.now() - before) / 125) / 8;
    });
    expect(waits).toEqual([1.75, 0.875]);
  });

  test("a connection closed before any OPEN is tried again in one to two seconds, again and again", () => {
    const bench = new Bench();
    bench.session.start();
    for (let round = 1; round <= 10; round++) {
      bench.settle();
      expect(bench.router.connections).toBe(round);
      bench.router.close();
      bench.settle();
      bench.advance(milliseconds(1_500));
    }
    expect(bench.session.status.reason).toBe("tcp-connected");
  });

  test("a SYN without an answer is given five seconds", () => {
    const bench = new Bench();
    bench.network.cut = true;
    bench.session.start();
    bench.advance(seconds(5));
    expect(bench.story.at(-1)).toBe("Connect -> Active (tcp-timeout)");
  });

  test("a cable pulled for good costs the hold time, and put back brings everything back", () => {
    const bench = new Bench();
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    bench.network.cut = true;
    bench.advance(seconds(10));
    expect(bench.session.status.announced).toEqual([]);
    bench.network.cut = false;
    bench.advance(seconds(15));
    expect(bench.session.state).toBe("OpenSent");
    bench.router.sayOpen();
    bench.settle();
    bench.router.sayKeepalive();
    bench.settle();
    expect(updates(bench)).toEqual(["+10.10.10.53/32", "eor", "+10.10.10.53/32", "eor"]);
  });
});

describe("stop", () => {
  test("withdraws, says why, closes, and stays stopped", async () => {
    const bench = new Bench();
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    const stopped = bench.session.stop("ok");
    bench.settle();
    await stopped;
    expect(updates(bench)).toEqual(["+10.10.10.53/32", "eor", "-10.10.10.53/32"]);
    expect(bench.router.types.endsWith("update notification")).toBe(true);
    expect(bench.router.lastNotification).toBe("6/2 026f6b");
    expect(bench.router.open).toBe(false);
    bench.advance(minutes(10));
    expect(bench.router.connections).toBe(1);
    expect(bench.clock.waiting).toEqual([]);
  });

  test("waits no longer than a second for a router that reads nothing", async () => {
    const bench = new Bench();
    bench.toEstablished();
    bench.network.stalled = true;
    const stopped = bench.session.stop("ok");
    bench.advance(seconds(1));
    await stopped;
    expect(bench.clock.waiting).not.toContain("close-wait");
  });

  test.each(["Idle", "Connect", "Active", "OpenSent"] as const)("in %s leaves nothing running", async (state) => {
    const bench = new Bench(state === "Active" ? { address: "127.0.0.9" } : {});
    if (state !== "Idle") bench.session.start();
    if (state === "Active" || state === "OpenSent") bench.settle();
    expect(bench.session.state).toBe(state);
    const stopped = bench.session.stop("ok");
    bench.settle();
    await stopped;
    bench.advance(minutes(2));
    expect(bench.session.state).toBe("Idle");
    expect(bench.clock.waiting).toEqual([]);
  });

  test("while waiting out a penalty ends the waiting", async () => {
    const bench = new Bench();
    bench.toOpenSent();
    bench.router.sayOpen({ asn: 65002 });
    bench.settle();
    await bench.session.stop();
    bench.advance(minutes(2));
    expect(bench.router.connections).toBe(1);
  });
});

describe("routes", () => {
  test("a router of two-octet AS numbers gets AS_TRANS and AS4_PATH, and its own AS4_PATH is believed (RFC 6793)", () => {
    const bench = new Bench({}, { watch: [VIP], local: { asn: 4_200_000_000, routerId: "10.1.0.10" } });
    bench.session.set([{ prefix: VIP, prepend: 1 }]);
    bench.toOpenSent();
    bench.router.say(encodeMessage("open", hex("04 fde9 0009 0a010001 08 02 06 01 04 0001 00 01")));
    bench.settle();
    bench.router.sayKeepalive();
    bench.settle();
    const sent = bench.router.heard.find((framed) => framed.type === "update")?.body ?? new Uint8Array();
    const wire = Buffer.from(sent).toString("hex");
    expect(wire).toContain("40020602025ba05ba0");
    expect(wire).toContain("c0110a0202fa56ea00fa56ea00");
    const attributes = { origin: 0, asPath: asSequence([65001, 4_200_000_001]), nextHop: "192.0.2.7" };
    bench.router.say(encodeUpdate({ withdrawn: [], attributes, announced: [VIP] }, false));
    bench.settle();
    expect(bench.of("path")[0]?.path?.asPath).toEqual([65001, 4_200_000_001]);
  });

  test("a change is written before set returns", () => {
    const bench = new Bench();
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    const before = bench.session.status.sent.messages.update;
    bench.session.set([]);
    expect(bench.session.status.sent.messages.update).toBe(before + 1);
    bench.settle();
    expect(updates(bench).at(-1)).toBe("-10.10.10.53/32");
  });

  test("a route refresh repeats every route; a storm of them does so once a second", () => {
    const bench = new Bench();
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    for (let i = 0; i < 100; i++) bench.router.say(encodeRouteRefresh("ipv4"));
    bench.settle();
    expect(updates(bench)).toEqual(["+10.10.10.53/32", "eor", "+10.10.10.53/32"]);
    bench.live(seconds(5));
    expect(updates(bench)).toHaveLength(4);
    bench.router.say(encodeRouteRefresh("ipv6"));
    bench.settle();
    expect(bench.session.status.ignored["refresh-not-applicable"]).toBe(1);
  });

  test("a stalled router gets the last wish, not every wish in between", () => {
    const bench = new Bench();
    bench.toEstablished();
    bench.network.stalled = true;
    const flood = Array.from({ length: 1_000 }, (_, i) => ({ prefix: prefix(`10.1.${i >> 8}.${i & 255}/32`) }));
    for (let med = 0; med < 100; med++) bench.session.set(flood.map((one) => ({ ...one, med })));
    const pending = bench.session.status.sent.bytes;
    expect(pending).toBeLessThan(100_000);
    bench.session.set([{ prefix: VIP }]);
    bench.network.resume();
    bench.settle();
    expect(bench.session.status.announced).toEqual(["10.10.10.53/32"]);
  });

  test("what a connection takes after its session ended is not told as announced, but what it withdraws is", () => {
    const bench = new Bench();
    bench.session.set([{ prefix: VIP }]);
    bench.toEstablished();
    bench.events.length = 0;
    bench.network.stalled = true;
    bench.session.set([{ prefix: prefix("10.10.10.123/32") }]);
    bench.router.notify(6, 4);
    bench.settle();
    expect(bench.session.state).toBe("Idle");
    bench.network.resume();
    expect(bench.of("update-sent")).toEqual([{ kind: "update-sent", announced: [], withdrawn: [VIP] }]);
  });

  test("a watched path is reported when it comes, changes and goes; attribute errors count as going", () => {
    const bench = new Bench({}, { watch: [VIP] });
    bench.toEstablished();
    const attributes = { origin: 0, asPath: asSequence([ROUTER.asn, 65102]), nextHop: "192.0.2.7" };
    const say = (med: number): void =>
      bench.router.say(encodeUpdate({ withdrawn: [], attributes: { ...attributes, med }, announced: [VIP] }, true));
    say(1);
    say(1);
    say(2);
    const noOrigin = { asPath: attributes.asPath, nextHop: attributes.nextHop };
    bench.router.say(encodeUpdate({ withdrawn: [], attributes: noOrigin, announced: [VIP] }, true));
    bench.settle();
    expect(bench.of("path").map((event) => event.path?.med)).toEqual([1, 2, undefined]);
    expect(bench.session.status.ignored["treat-as-withdraw"]).toBe(1);
    expect(bench.session.state).toBe("Established");
  });

  test("a prefix withdrawn and announced in one UPDATE was never gone (RFC 4271 section 4.3)", () => {
    const bench = new Bench({}, { watch: [VIP] });
    bench.toEstablished();
    const attributes = { origin: 0, asPath: asSequence([ROUTER.asn]), nextHop: "192.0.2.7" };
    bench.router.say(encodeUpdate({ withdrawn: [], attributes, announced: [VIP] }, true));
    bench.router.say(encodeUpdate({ withdrawn: [VIP], attributes: { ...attributes, med: 5 }, announced: [VIP] }, true));
    bench.settle();
    expect(bench.of("path").map((event) => event.path?.med ?? event.path?.nextHop)).toEqual(["192.0.2.7", 5]);
    const noOrigin = { asPath: attributes.asPath, nextHop: attributes.nextHop };
    bench.router.say(encodeUpdate({ withdrawn: [VIP], attributes: noOrigin, announced: [VIP] }, true));
    bench.settle();
    expect(bench.session.paths).toEqual([]);
  });

  test("a watched prefix that one UPDATE names 400 times is one path", () => {
    const bench = new Bench({}, { watch: [VIP] });
    bench.toEstablished();
    const attributes = { origin: 0, asPath: asSequence([ROUTER.asn]), nextHop: "192.0.2.7" };
    const announced = Array.from({ length: 400 }, () => VIP);
    bench.router.say(encodeUpdate({ withdrawn: [], attributes, announced }, true));
    bench.router.say(encodeUpdate({ withdrawn: announced, attributes: {}, announced: [] }, true));
    bench.settle();
    expect(bench.of("path").map(({ path }) => path?.prefix)).toEqual([VIP, undefined]);
  });

  test("a LOCAL_PREF from another AS means nothing (RFC 4271 section 5.1.5)", () => {
    const bench = new Bench({}, { watch: [VIP] });
    bench.toEstablished();
    const attributes = { origin: 0, asPath: asSequence([ROUTER.asn]), nextHop: "192.0.2.7", localPref: 0 };
    bench.router.say(encodeUpdate({ withdrawn: [], attributes, announced: [VIP] }, true));
    bench.settle();
    expect(bench.session.paths.map((path) => path.localPref)).toEqual([undefined]);
  });

  test("the end of the session ends the watched paths", () => {
    const bench = new Bench({}, { watch: [VIP] });
    bench.toEstablished();
    const attributes = { origin: 0, asPath: asSequence([ROUTER.asn]), nextHop: "192.0.2.7" };
    bench.router.say(encodeUpdate({ withdrawn: [], attributes, announced: [VIP] }, true));
    bench.settle();
    bench.router.close();
    bench.settle();
    expect(bench.of("path").map((event) => event.path !== undefined)).toEqual([true, false]);
  });

  test("a family that the peer does not speak is not sent, and status says so", () => {
    const bench = new Bench({}, { families: ["ipv4", "ipv6"] });
    const twin = prefix("fd00:10:10::53/128");
    bench.session.set([{ prefix: VIP }, { prefix: twin, nextHop: "fd00::1" }]);
    bench.toEstablished();
    expect(bench.session.status.announced).toEqual(["10.10.10.53/32"]);
    expect(bench.session.status.unsendable).toEqual([
      { prefix: "fd00:10:10::53/128", reason: "family-not-negotiated" },
    ]);
  });

  test("an IPv6 prefix without an IPv6 next hop is not sent, and status says so", () => {
    const bench = new Bench({}, { families: ["ipv6"] });
    bench.session.set([{ prefix: prefix("fd00:10:10::53/128") }]);
    bench.toOpenSent();
    bench.router.sayOpen({ families: ["ipv6"] });
    bench.settle();
    bench.router.sayKeepalive();
    bench.settle();
    expect(bench.session.status.unsendable).toEqual([{ prefix: "fd00:10:10::53/128", reason: "no-next-hop" }]);
    bench.session.set([{ prefix: prefix("fd00:10:10::53/128"), nextHop: "fd00::1" }]);
    expect(bench.session.status.announced).toEqual(["fd00:10:10::53/128"]);
  });
});
