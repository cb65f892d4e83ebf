import { createSocket } from "node:dgram";
import { milliseconds, seconds, SystemClock } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import dnsPacket from "dns-packet";
import { describe, expect, test, vi } from "vitest";
import { Cache } from "../src/cache.ts";
import { openFileLimit, upstreamSockets } from "../src/descriptors.ts";
import { SelfProbe } from "../src/self-probe.ts";
import type { Outcome } from "../src/upstream/flight.ts";
import { Forwarder } from "../src/upstream/forwarder.ts";
import { Upstream, type Route } from "../src/upstream/upstream.ts";
import { respond } from "./fake-upstream.ts";
import { LOOPBACK, NO_NAMES, dataOf, decoded, queryFor, view } from "./fixtures.ts";
import { passing, rig, rigOf, upstream, whenDone } from "./rig.ts";

function typeOf(query: Buffer): string {
  return dnsPacket.decode(query).questions?.[0]?.type ?? "";
}

describe("an upstream", () => {
  // connect(2) to the broadcast address fails at once, like any address while the link is down.
  test("to which the network knows no way costs an answer, not the process, and is said in health", async () => {
    const { ask, health } = await rig([{ address: "255.255.255.255", port: 53 }]);
    let reply: Buffer | undefined;
    for (let i = 0; i < 3; i += 1) reply = await ask(queryFor(`n${i}.example`, { edns: {} }));
    expect(reply && decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply?.toString("latin1")).toContain("255.255.255.255 cannot be reached");
    expect(health.verdict).toBe("degraded");
  });

  test("asked from a source address that this machine has not is said in health", async () => {
    const { ask, health } = await rig([{ address: "127.88.0.2", port: 53 }], new SystemClock(), "203.0.113.9");
    for (let i = 0; i < 3; i += 1) await ask(queryFor(`n${i}.example`));
    expect(health.verdict).toBe("degraded");
  });

  test("of a route that is not critical is told as an alarm alone, also beside one that is", async () => {
    const gone = { address: "255.255.255.255", port: 53 };
    const { ask, health } = await rigOf([
      { zone: "minor.example", upstreams: [gone], critical: false },
      { zone: "major.example", upstreams: [gone] },
    ]);
    const told = async (zone: string): Promise<string[]> => {
      for (let i = 0; i < 3; i += 1) await ask(queryFor(`n${i}.${zone}`));
      return health.report.reasons.map(({ code, class: of, detail }) => `${code} (${of}): ${detail}`);
    };
    const minor = "minor-upstreams-unreachable (load): no upstream answers for minor.example";
    expect(await told("minor.example")).toEqual([minor]);
    expect(health.verdict).toBe("pass");
    const major = "upstreams-unreachable (dependency): no upstream answers for major.example";
    expect((await told("major.example")).toSorted()).toEqual([minor, major].toSorted());
    expect(health.verdict).toBe("degraded");
  });

  // Anybody inside may own a zone whose servers never answer.
  test("is not taken out by names that it finds no answer for while it answers for its zone", async () => {
    const fake = await upstream({ udp: (query, send) => typeOf(query) === "SOA" && send(respond(query)) });
    const clock = new FakeClock();
    const { ask, health, count } = await rig([fake], clock);
    for (let i = 1; i <= 5; i += 1) {
      void ask(queryFor(`hangs${i}.example`));
      await passing(clock, () => count("upstream-failed") === i);
    }
    await clock.run(seconds(3));
    expect(fake.queries.some((query) => typeOf(query) === "SOA")).toBe(true);
    expect(health.verdict).toBe("pass");
  });

  test("that truncates and refuses TCP is alive: it answers what is short", async () => {
    const fake = await upstream({
      udp: (query, send) =>
        send(typeOf(query) === "TXT" ? respond(query, { flags: 0x0280, answers: [] }) : respond(query)),
    });
    const { ask, health } = await rig([fake]);
    for (let i = 0; i < 4; i += 1) {
      expect(decoded(await ask(queryFor(`big${i}.example`, { type: "TXT" }))).rcode).toBe("SERVFAIL");
    }
    expect(health.verdict).toBe("pass");
    expect(dataOf(await ask(queryFor("small.example")))).toEqual(["192.0.2.7"]);
  });
});

test("a client that comes after the stale answer was given gets it at once", async () => {
  let alive = true;
  const fake = await upstream({ udp: (query, send) => alive && send(respond(query)) });
  const clock = new FakeClock();
  const { ask, count, server } = await rig([fake], clock);
  await ask(queryFor("www.example"));
  alive = false;
  clock.advance(seconds(100));
  void ask(queryFor("www.example"));
  await passing(clock, () => count("stale") === 1);
  expect(server.forwarder.inFlight).toBe(1);
  const late = await ask(queryFor("www.example", { id: 9 }));
  expect(decoded(late)).toMatchObject({ id: 9, answers: [{ ttl: 30 }] });
  expect(server.forwarder.inFlight).toBe(1);
});

test("waiting clients are bounded per route, however many names they wait for", async () => {
  const silent = await upstream({});
  const clock = new FakeClock();
  const target = { address: "127.88.0.2", port: silent.port };
  const upstreams = [new Upstream(target, undefined, clock)];
  const route: Route = { zone: ".", name: Uint8Array.of(0), upstreams, inFlight: 0, waiting: 0 };
  const outcomes: Outcome[] = [];
  const forwarder = new Forwarder({
    workers: 1,
    clock,
    cache: new Cache({ size: 2 ** 20, staleSeconds: 0, seed: 1 }),
    names: NO_NAMES,
    routes: new Map([[0, route]]),
    maxTtl: 60,
    negativeTtl: 60,
    deliver: (_, outcome) => outcomes.push(outcome),
    onChange: () => {},
  });
  whenDone({ close: async () => forwarder.close() });
  const waiter = { query: queryFor("x"), peer: LOOPBACK, tcp: false, reply: () => {} };
  for (let i = 0; i < 6_400; i += 1) forwarder.ask(view(queryFor(`n${i % 100}.example`)), 0, 0, waiter);
  expect(outcomes.length).toBe(6_400 - 4_000);
  await passing(clock, () => outcomes.length === 6_400);
  expect(route.waiting).toBe(0);
  await passing(clock, () => forwarder.inFlight === 0); // late answers are waited for
  expect(route.inFlight).toBe(0);
});

describe("the self-probe", () => {
  test("does not take an instance whose name begins like ours for us", async () => {
    const { port } = await rig([]);
    const probe = new SelfProbe(new SystemClock(), [{ address: "127.88.0.1", port }], "nyc/nyc");
    expect(await probe.probe(seconds(2))).toMatchObject({ kind: "wrong" });
  });

  test("does not listen to strangers who know its port", async () => {
    const stranger = createSocket("udp4");
    const vip = createSocket("udp4");
    await new Promise<void>((resolve) => void vip.bind(0, "127.88.0.1", resolve));
    vip.on("message", (_, from) => stranger.send(Buffer.alloc(40), from.port, from.address));
    whenDone({ close: async () => void [stranger.close(), vip.close()] });
    const probe = new SelfProbe(new SystemClock(), [{ address: "127.88.0.1", port: vip.address().port }], "nyc/nyc-1");
    expect(await probe.probe(milliseconds(200))).toMatchObject({ kind: "silent" });
  });
});

test("one outage with many questions under way is one failure: the first probe comes after a second", () => {
  const clock = new FakeClock();
  const one = new Upstream({ address: "127.88.0.2", port: 53 }, undefined, clock);
  const sent = clock.now();
  clock.advance(milliseconds(600));
  for (let i = 0; i < 200; i += 1) one.failed(sent, true);
  expect([one.down, one.probeDue]).toEqual([true, false]);
  clock.advance(seconds(1));
  expect(one.probeDue).toBe(true);
  one.failed(clock.now(), true);
  clock.advance(milliseconds(1_900));
  expect(one.probeDue).toBe(false);
  clock.advance(milliseconds(100));
  expect(one.probeDue).toBe(true);
});

test("the circuit of an upstream that stays down is probed every 30 s at least, however long it was away", () => {
  const clock = new FakeClock();
  const one = new Upstream({ address: "127.88.0.2", port: 53 }, undefined, clock);
  for (let i = 0; i < 20; i += 1) {
    clock.advance(seconds(30));
    one.failed(clock.now(), true);
  }
  clock.advance(milliseconds(29_900));
  expect(one.probeDue).toBe(false);
  clock.advance(milliseconds(100));
  expect(one.probeDue).toBe(true);
});

test("many routes have no more sockets in all than there are ports", async () => {
  const clock = new FakeClock();
  const routes = Array.from({ length: 70 }, (_, i): Route => {
    const upstreams = [new Upstream({ address: "127.88.0.2", port: 9 }, undefined, clock)];
    return { zone: `n${i}`, name: Uint8Array.of(0), upstreams, inFlight: 0, waiting: 0 };
  });
  const forwarder = new Forwarder({
    workers: 1,
    clock,
    cache: new Cache({ size: 2 ** 20, staleSeconds: 0, seed: 1 }),
    names: NO_NAMES,
    routes: new Map(routes.entries()),
    sockets: 2 ** 20,
    maxTtl: 60,
    negativeTtl: 60,
    deliver: () => {},
    onChange: () => {},
  });
  whenDone(forwarder);
  expect(forwarder.perRoute).toBe(2_000);
});

test("the sockets that this process may have are shared out among the routes", async () => {
  const silent = await upstream({});
  const clock = new FakeClock();
  const routeOf = (zone: string): Route => {
    const upstreams = [new Upstream({ address: "127.88.0.2", port: silent.port }, undefined, clock)];
    return { zone, name: Uint8Array.of(0), upstreams, inFlight: 0, waiting: 0 };
  };
  const routes = new Map([routeOf("a"), routeOf("b")].entries());
  const outcomes: Outcome[] = [];
  const forwarder = new Forwarder({
    workers: 1,
    clock,
    cache: new Cache({ size: 2 ** 20, staleSeconds: 0, seed: 1 }),
    names: NO_NAMES,
    routes,
    maxTtl: 60,
    negativeTtl: 60,
    sockets: upstreamSockets(
      openFileLimit(() => "Max open files            40                 80    files\n"),
      1,
      1,
    ),
    deliver: (_, outcome) => outcomes.push(outcome),
    onChange: () => {},
  });
  whenDone({ close: async () => forwarder.close() });
  const waiter = { query: queryFor("x"), peer: LOOPBACK, tcp: false, reply: () => {} };
  for (let i = 0; i < 10; i += 1) forwarder.ask(view(queryFor(`n${i}.example`)), 0, 0, waiter);
  expect([forwarder.inFlight, forwarder.load]).toEqual([5, 1]);
  forwarder.ask(view(queryFor("n1.example")), 1, 4, waiter);
  expect(forwarder.inFlight).toBe(6);
  expect([upstreamSockets(1_024, 1, 1), upstreamSockets(1_024, 1, 4), upstreamSockets(524_288, 2, 1)]).toEqual([
    654, 150, 523_660,
  ]);
  await passing(clock, () => outcomes.length === 11);
});

test("a query of a route that is asked for twice over is answered once each", async () => {
  const fake = await upstream({ udp: (query, send) => [send(respond(query)), send(respond(query))] });
  const { ask, count } = await rig([fake]);
  expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
  await vi.waitFor(() => expect(count("forwarded")).toBe(1));
});
