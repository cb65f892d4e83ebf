import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import dnsPacket from "dns-packet";
import { describe, expect, test } from "vitest";
import { AllowList } from "../src/allow-list.ts";
import { Cache } from "../src/cache.ts";
import { packImage } from "../src/cache/image.ts";
import { REASONS } from "../src/reasons.ts";
import type { Outcome } from "../src/upstream/flight.ts";
import { Forwarder } from "../src/upstream/forwarder.ts";
import { Upstream, type Route } from "../src/upstream/upstream.ts";
import { respond } from "./fake-upstream.ts";
import { bench, client, dataOf, decoded, LOOPBACK, NO_NAMES, queryFor, view, zoneFrom } from "./fixtures.ts";
import { passing, rig, upstream, whenDone } from "./rig.ts";

test("a prefix that ends within a byte admits what is inside, and its neighbours not", () => {
  const list = new AllowList([{ family: "ipv4", address: "172.16.0.0", length: 12 }]);
  const allowed = (...address: number[]): boolean => list.allows(client(...address), 0);
  expect([allowed(172, 16, 0, 1), allowed(172, 31, 255, 1)]).toEqual([true, true]);
  expect([allowed(172, 32, 0, 1), allowed(172, 15, 0, 1), allowed(173, 16, 0, 1)]).toEqual([false, false, false]);
});

const withOptions = (...codes: number[]): Uint8Array => {
  const query = Buffer.from(queryFor("localhost", { edns: {} }));
  const cookie = 10; // a client's has eight octets
  const options = codes.map((code) => {
    const size = code === cookie ? 8 : 0;
    return Buffer.concat([Buffer.of(code >> 8, code & 255, 0, size), Buffer.alloc(size)]);
  });
  const data = Buffer.concat(options);
  query.writeUInt16BE(data.length, query.length - 2);
  return Buffer.concat([query, data]);
};

const rcodeOf = (...codes: number[]): string => decoded(bench().ask(withOptions(...codes)) ?? Buffer.alloc(0)).rcode;

describe("EDNS options", () => {
  // CVE-2026-42944 class.
  test.each([3, 8, 10])("that we know (%i) come once or the query is malformed", (code) => {
    expect([rcodeOf(code), rcodeOf(code, code)]).toEqual(["NOERROR", "FORMERR"]);
  });

  // CVE-2026-41292 class.
  test("are sixteen at most", () => {
    const most = Array.from({ length: 16 }, () => 65_001);
    expect([rcodeOf(...most), rcodeOf(...most, 65_001)]).toEqual(["NOERROR", "FORMERR"]);
  });

  test("of a stranger do not make the reply longer", () => {
    const query = queryFor("localhost", { edns: { nsid: true } });
    const reply = bench().ask(query, { peer: client(203, 0, 113, 7) });
    expect(Buffer.from(reply ?? []).toString("latin1")).not.toContain("nyc-1");
    expect(reply?.length).toBeLessThanOrEqual(query.length + 6);
  });
});

test("CD comes back as it was sent, from local data, from errors and from the cache", () => {
  const { ask } = bench([zoneFrom("a. 60 SOA a. a. 1 2 3 4 5\n")]);
  for (const name of ["localhost", "nope.a", "no.route"]) {
    const bits = [0x110, 0x100].map((flags) => (ask(queryFor(name, { flags }))?.[3] ?? 0) & 0x10);
    expect(bits).toEqual([0x10, 0]);
  }
});

test("an image is neither fresh nor stale for longer than it may be", () => {
  const cache = new Cache({ size: 2 ** 20, staleSeconds: 60, seed: 3 });
  const query = view(queryFor("www.example"));
  const message = Uint8Array.from([...new Uint8Array(12), ...query.key.subarray(0, query.keyLength)]);
  cache.store(packImage({ message, nameLength: query.nameLength, ttlsAt: [], negative: false }, 0), query, 0, 0, 10);
  expect([99, 100, 699, 700].map((tick) => cache.find(query, 0, tick) >= 0)).toEqual([true, true, true, false]);
  expect([99, 100].map((tick) => cache.isFresh(cache.find(query, 0, 1), tick))).toEqual([true, false]);
});

const addresses = (query: Buffer, count: number): dnsPacket.Answer[] =>
  Array.from({ length: count }, (_, i) => ({
    type: "A",
    name: dnsPacket.decode(query).questions?.[0]?.name ?? "",
    ttl: 60,
    data: `192.0.2.${i}`,
  }));

describe("an upstream's datagram", () => {
  test("with another opcode or the reserved bit is no answer", async () => {
    const fake = await upstream({
      udp: (query, send) => {
        for (const [at, bit] of [
          [2, 0x08],
          [3, 0x40],
        ] as const) {
          const wrong = respond(query, { answers: [] });
          wrong[at] = (wrong[at] ?? 0) | bit;
          send(wrong);
        }
        send(respond(query));
      },
    });
    const { ask, server } = await rig([fake]);
    expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    expect(server.forwarder.counters.ignored).toBe(2);
  });

  test("longer than we offered is asked for again over TCP", async () => {
    const fake = await upstream({
      udp: (query, send) => send(respond(query, { answers: addresses(query, 100) })),
      tcp: (query) => respond(query, { answers: addresses(query, 1) }),
    });
    const { ask } = await rig([fake]);
    expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.0"]);
    expect(fake.tcpQueries).toBe(1);
  });

  test("over TCP too must have the id and the question", async () => {
    const fake = await upstream({
      udp: (query, send) => send(respond(query, { flags: 0x0280, answers: [] })),
      tcp: (query) => respond(query, { id: query.readUInt16BE(0) ^ 1 }),
    });
    const clock = new FakeClock();
    const { ask, server, count } = await rig([fake], clock);
    void ask(queryFor("www.example"));
    await passing(clock, () => count("upstream-failed") === 1);
    expect(server.forwarder.counters.ignored).toBeGreaterThan(0);
  });

  test("with TTL 0 answers who waits and is not kept, not as a stale answer either", async () => {
    const answers: dnsPacket.Answer[] = [{ type: "A", name: "www.example", ttl: 0, data: "192.0.2.7" }];
    const fails = { flags: 0x82, answers: [] };
    const fake = await upstream({
      udp: (query, send) => send(respond(query, fake.queries.length <= 2 ? { answers } : fails)),
    });
    const { ask } = await rig([fake]);
    for (let i = 0; i < 2; i += 1) expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    expect(fake.queries.length).toBe(2);
    expect(decoded(await ask(queryFor("www.example"))).rcode).toBe("SERVFAIL");
  });
});

describe("an upstream in doubt", () => {
  const target = { address: "127.88.0.2", port: 53 };

  test("is spoken for by an answer that came after the question was sent", () => {
    const clock = new FakeClock();
    const one = new Upstream(target, undefined, clock);
    const sent = clock.now();
    clock.advance(milliseconds(10));
    one.succeeded();
    for (let i = 0; i < 5; i += 1) one.failed(sent, true);
    expect(one.down).toBe(false);
  });

  test("that is down is asked by one question at a time, and one name has 64 waiting clients", async () => {
    const silent = await upstream({});
    const clock = new FakeClock();
    const one = new Upstream({ ...target, port: silent.port }, undefined, clock);
    clock.advance(seconds(1));
    for (let i = 0; i < 3; i += 1) one.failed(clock.now(), true);
    const route: Route = { zone: ".", name: Uint8Array.of(0), upstreams: [one], inFlight: 0, waiting: 0 };
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
    const ask = (name: string): void =>
      forwarder.ask(view(queryFor(name)), 0, 0, { query: queryFor(name), peer: LOOPBACK, tcp: false, reply: () => {} });
    for (let i = 0; i < 70; i += 1) ask("first.example");
    const reasons = (): string[] =>
      outcomes.map((each) => (each.kind === "failed" ? (REASONS[each.reason] ?? "") : ""));
    expect(reasons()).toEqual(Array.from({ length: 6 }, () => "upstream-busy"));
    for (let i = 0; i < 10; i += 1) ask(`n${i}.example`);
    await passing(clock, () => outcomes.length >= 16);
    expect([forwarder.counters.exchanges, forwarder.inFlight]).toEqual([1, 1]);
    await passing(clock, () => outcomes.length === 80);
  });
});
