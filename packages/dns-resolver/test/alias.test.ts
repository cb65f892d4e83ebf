import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import dnsPacket, { type Answer, type Packet } from "dns-packet";
import { describe, expect, test, vi } from "vitest";
import { respond, type FakeUpstream, type Script } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor, ttlsOf, zoneFrom } from "./fixtures.ts";
import { inTime, rigOf, upstream, type Rig, type RigRoute } from "./rig.ts";

const cname = (name: string, data: string, ttl = 300): Answer => ({ type: "CNAME", name, ttl, data });
const a = (name: string, data: string, ttl = 60): Answer => ({ type: "A", name, ttl, data });
/** 273 octets: 238 of them are the most that one message may hold, and leave no room for an alias. */
const txt = (name: string, i: number): Answer => ({ type: "TXT", name, ttl: 60, data: String(i).padEnd(244, "x") });
const SOA: Answer = {
  type: "SOA",
  name: "corp.example",
  ttl: 600,
  data: { mname: "ns.corp.example", rname: "x.corp.example", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 40 },
};

/** Answers by name, each name with its own response; a name that is not there is not answered. */
function zone(data: Readonly<Record<string, Partial<Packet>>>): Script {
  return {
    udp: (query, send) => {
      const name = dnsPacket.decode(query).questions?.[0]?.name.toLowerCase() ?? "";
      const fields = data[name];
      if (fields !== undefined) send(respond(query, fields));
    },
  };
}

interface Two extends Rig {
  readonly outside: FakeUpstream;
  readonly inside: FakeUpstream;
}

/** The root route knows the outside, `corp.example` the inside. */
async function two(outside: Script, inside: Script, clock?: FakeClock, more: readonly RigRoute[] = []): Promise<Two> {
  const [far, near] = [await upstream(outside), await upstream(inside)];
  const routes = [{ zone: ".", upstreams: [far] }, { zone: "corp.example", upstreams: [near] }, ...more];
  return { ...(await rigOf(routes, clock)), outside: far, inside: near };
}

const ALIAS = { answers: [cname("alias.test", "www.corp.example")] };

describe("aliases across routes: an alias", () => {
  test("is completed from there, lives as long as the shortest TTL, and is answered from the cache then", async () => {
    const { ask, count, inside, outside } = await two(
      zone({ "alias.test": ALIAS }),
      zone({ "www.corp.example": { answers: [a("www.corp.example", "192.0.2.1", 20)] } }),
    );
    const first = await ask(queryFor("Alias.Test"));
    expect(dataOf(first)).toEqual(["www.corp.example", "192.0.2.1"]);
    expect(ttlsOf(first)).toEqual([300, 20]);
    expect(decoded(first).answers?.map(({ name }) => name)).toEqual(["Alias.Test", "www.corp.example"]);
    expect(dataOf(await ask(queryFor("alias.test")))).toEqual(["www.corp.example", "192.0.2.1"]);
    expect([outside.queries.length, inside.queries.length]).toEqual([1, 1]);
    expect([count("forwarded"), count("cached")]).toEqual([1, 1]);
  });

  test("expires with its shortest part", async () => {
    const clock = new FakeClock();
    const { ask, outside } = await two(
      zone({ "alias.test": ALIAS }),
      zone({ "www.corp.example": { answers: [a("www.corp.example", "192.0.2.1", 20)] } }),
      clock,
    );
    await ask(queryFor("alias.test"));
    clock.advance(seconds(19));
    expect(ttlsOf(await ask(queryFor("alias.test")))).toEqual([281, 1]);
    clock.advance(seconds(1));
    await ask(queryFor("alias.test"));
    expect(outside.queries.length).toBe(2);
  });

  // Of the two answers the shorter counts, wherever it stands: a name that is moved inside must not be held by an alias outside.
  test.each([
    ["the alias", 20, 60],
    ["what it leads to", 60, 20],
  ])("lives no longer than its shortest part: %s", async (_, outer, inner) => {
    const clock = new FakeClock();
    const { ask, inside, outside } = await two(
      zone({ "alias.test": { answers: [cname("alias.test", "www.corp.example", outer)] } }),
      zone({ "www.corp.example": { answers: [a("www.corp.example", "192.0.2.1", inner)] } }),
      clock,
    );
    await ask(queryFor("alias.test"));
    clock.advance(milliseconds(19_900));
    expect(ttlsOf(await ask(queryFor("alias.test")))).toEqual([outer - 19, inner - 19]);
    expect([outside.queries.length, inside.queries.length]).toEqual([1, 1]);
    clock.advance(milliseconds(100));
    await ask(queryFor("alias.test"));
    expect(outside.queries.length).toBe(2);
  });

  test("is kept as little as what it leads to: a no without SOA, and an expired answer, not at all", async () => {
    let alive = true;
    const clock = new FakeClock();
    const names = { "alias.test": ALIAS, "no.test": { answers: [cname("no.test", "no.corp.example")] } };
    const { ask, count, outside } = await two(
      zone(names),
      {
        udp: (query, send) => {
          const isGone = dnsPacket.decode(query).questions?.[0]?.name.toLowerCase() === "no.corp.example";
          if (alive) send(respond(query, isGone ? { flags: 0x83, answers: [] } : {}));
        },
      },
      clock,
    );
    for (let asked = 1; asked <= 2; asked += 1) {
      expect(decoded(await ask(queryFor("no.test"))).rcode).toBe("NXDOMAIN");
      expect(outside.queries.length).toBe(asked);
    }
    await ask(queryFor("www.corp.example"));
    alive = false;
    clock.advance(seconds(100));
    expect(ttlsOf(await inTime(clock, ask(queryFor("alias.test"))))).toEqual([30, 30]);
    await clock.run(seconds(6)); // until late answers are not waited for any more
    alive = true;
    clock.advance(seconds(60));
    expect(ttlsOf(await inTime(clock, ask(queryFor("alias.test"))))).toEqual([300, 60]);
    expect([count("stale"), count("cached")]).toEqual([1, 0]);
  });

  test("has no TTL above the cap, of its own or of local data", async () => {
    const local = zoneFrom("$ORIGIN local.test.\n$TTL 1d\n@ SOA ns x 1 1 1 1 30\nd A 192.0.2.4\n");
    const far = await upstream(zone({ "a.test": { answers: [cname("a.test", "d.local.test", 2_000_000)] } }));
    const { ask } = await rigOf([{ zone: ".", upstreams: [far] }], undefined, [local]);
    expect(ttlsOf(await ask(queryFor("a.test")))).toEqual([3_600, 3_600]);
    expect(ttlsOf(await ask(queryFor("a.test")))[0]).toBeGreaterThan(3_500);
    expect(far.queries.length).toBe(1);
  });

  test.each([
    [
      "more records than are read of one",
      Array.from({ length: 500 }, (_, i) => a("www.corp.example", `192.0.2.${i % 256}`)),
    ],
    ["more bytes than fit a message", Array.from({ length: 238 }, (_, i) => txt("www.corp.example", i))],
  ])("that would make an answer of %s gets SERVFAIL and why", async (_, answers) => {
    const type = answers[0]?.type ?? "A";
    const whole = (query: Buffer): Buffer => respond(query, { answers });
    const { ask } = await two(zone({ "alias.test": ALIAS }), {
      udp: (query, send) => send(respond(query, { flags: 0x0280, answers: [] })),
      tcp: whole,
    });
    expect(decoded(await ask(queryFor("www.corp.example", { type }))).flag_tc).toBe(true);
    const reply = await ask(queryFor("alias.test", { type, edns: {} }));
    expect(decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply.toString("latin1")).toContain("is more than fits a message");
  });

  test("takes what the cache has of it, with the time that is left", async () => {
    const clock = new FakeClock();
    const { ask, inside } = await two(
      zone({ "alias.test": ALIAS }),
      zone({ "www.corp.example": { answers: [a("www.corp.example", "192.0.2.1", 60)] } }),
      clock,
    );
    await ask(queryFor("www.corp.example"));
    clock.advance(seconds(45));
    expect(ttlsOf(await ask(queryFor("alias.test")))).toEqual([300, 15]);
    expect(inside.queries.length).toBe(1);
  });

  // Split horizon: the outside says NXDOMAIN, or an address of its own, for a name of the inside.
  test.each<[string, Partial<Packet>]>([
    ["says that it does not exist", { flags: 0x83, answers: ALIAS.answers, authorities: [SOA] }],
    ["has another address", { answers: [...ALIAS.answers, a("www.corp.example", "203.0.113.9")] }],
  ])("is not believed about the name there: it %s", async (_, fields) => {
    const { ask } = await two(
      zone({ "alias.test": fields }),
      zone({ "www.corp.example": { answers: [a("www.corp.example", "192.0.2.1")] } }),
    );
    const reply = await ask(queryFor("alias.test"));
    expect(decoded(reply)).toMatchObject({ rcode: "NOERROR", authorities: [] });
    expect(dataOf(reply)).toEqual(["www.corp.example", "192.0.2.1"]);
  });

  test.each([
    ["NXDOMAIN", 0x83],
    ["NOERROR", 0x80],
  ])("ends in the other route's %s, kept for as long as that says", async (rcode, flags) => {
    const clock = new FakeClock();
    const { ask, inside } = await two(
      zone({ "alias.test": ALIAS }),
      zone({ "www.corp.example": { flags, answers: [], authorities: [SOA] } }),
      clock,
    );
    const reply = decoded(await ask(queryFor("alias.test")));
    expect(reply).toMatchObject({ rcode, answers: [{ type: "CNAME" }], authorities: [{ type: "SOA", ttl: 40 }] });
    clock.advance(seconds(39));
    expect(decoded(await ask(queryFor("alias.test")))).toMatchObject({ rcode, authorities: [{ ttl: 1 }] });
    expect(inside.queries.length).toBe(1);
  });

  test("leads on through a third, and into local data", async () => {
    const third = await upstream(zone({ "c.lab.example": { answers: [cname("c.lab.example", "d.local.test")] } }));
    const far = await upstream(zone({ "a.test": { answers: [cname("a.test", "b.corp.example")] } }));
    const near = await upstream(zone({ "b.corp.example": { answers: [cname("b.corp.example", "c.lab.example")] } }));
    const local = zoneFrom("$ORIGIN local.test.\n$TTL 50\n@ SOA ns x 1 1 1 1 30\nd A 192.0.2.4\n");
    const routes = [
      { zone: ".", upstreams: [far] },
      { zone: "corp.example", upstreams: [near] },
      { zone: "lab.example", upstreams: [third] },
    ];
    const { ask } = await rigOf(routes, undefined, [local]);
    const reply = await ask(queryFor("a.test"));
    expect(dataOf(reply)).toEqual(["b.corp.example", "c.lab.example", "d.local.test", "192.0.2.4"]);
    expect(ttlsOf(reply)).toEqual([300, 300, 300, 50]);
  });

  test("joins the question that is on its way already", async () => {
    const held: (() => void)[] = [];
    const { ask, inside, server } = await two(zone({ "alias.test": ALIAS }), {
      udp: (query, send) => held.push(() => send(respond(query))),
    });
    const both = [ask(queryFor("www.corp.example")), ask(queryFor("alias.test"))];
    await vi.waitFor(() => expect(server.forwarder.counters.coalesced).toBe(1));
    for (const answer of held) answer();
    expect((await Promise.all(both)).map(dataOf)).toEqual([["192.0.2.7"], ["www.corp.example", "192.0.2.7"]]);
    expect(inside.queries.length).toBe(1);
  });

  test("comes with the other route's failure, and stale when the other's answer is stale", async () => {
    let alive = true;
    const clock = new FakeClock();
    const { ask, count } = await two(
      zone({ "alias.test": ALIAS, "other.test": { answers: [cname("other.test", "www.corp.example")] } }),
      { udp: (query, send) => alive && send(respond(query)) },
      clock,
    );
    await ask(queryFor("www.corp.example"));
    alive = false;
    clock.advance(seconds(100));
    const stale = await inTime(clock, ask(queryFor("alias.test", { edns: {} })));
    expect(dataOf(stale)).toEqual(["www.corp.example", "192.0.2.7"]);
    expect(ttlsOf(stale)).toEqual([30, 30]);
    expect(count("stale")).toBe(1);
    clock.advance(seconds(7_200)); // beyond what may be served
    const failed = await inTime(clock, ask(queryFor("other.test", { edns: {} })));
    expect(decoded(failed).rcode).toBe("SERVFAIL");
    expect(failed.toString("latin1")).toContain("127.88.0.2 did not answer in time");
  });
});

/** An alias to the next number in another zone. */
function next(query: Buffer, suffix: string): Partial<Packet> {
  const name = dnsPacket.decode(query).questions?.[0]?.name.toLowerCase() ?? "";
  return { answers: [cname(name, `n${Number(/\d+/.exec(name)?.[0]) + 1}.${suffix}`)] };
}

describe("aliases that lead nowhere", () => {
  const LOOP = "an alias (CNAME) leads back to itself";

  test("between two routes get SERVFAIL and why, once the two questions are seen to wait for each other", async () => {
    const { ask, inside, outside, server } = await two(
      zone({ "a.test": { answers: [cname("a.test", "b.corp.example")] } }),
      zone({ "b.corp.example": { answers: [cname("b.corp.example", "a.test")] } }),
    );
    const reply = await ask(queryFor("a.test", { edns: {} }));
    expect(decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply.toString("latin1")).toContain(LOOP);
    expect([outside.queries.length, inside.queries.length]).toEqual([1, 1]);
    expect(server.forwarder.inFlight).toBe(0);
  });

  test("within one answer get the same", async () => {
    const { ask } = await two(
      zone({ "a.test": { answers: [cname("a.test", "b.test"), cname("b.test", "a.test")] } }),
      {},
    );
    const reply = await ask(queryFor("a.test", { edns: {} }));
    expect(decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply.toString("latin1")).toContain(LOOP);
  });

  test("by what was cached before an alias was turned round get the same", async () => {
    const inside: Record<string, Partial<Packet>> = {
      "x.corp.example": {
        answers: [
          cname("x.corp.example", "y.corp.example"),
          cname("y.corp.example", "w.corp.example"),
          a("w.corp.example", "192.0.2.1"),
        ],
      },
    };
    const { ask } = await two(zone({ "q.test": { answers: [cname("q.test", "x.corp.example")] } }), zone(inside));
    expect(dataOf(await ask(queryFor("x.corp.example")))).toHaveLength(3);
    inside["y.corp.example"] = { answers: [cname("y.corp.example", "q.test")] };
    const reply = await ask(queryFor("y.corp.example", { edns: {} }));
    expect(decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply.toString("latin1")).toContain(LOOP);
  });

  test("for ever are given up after eight crossings, whatever a stranger's two zones say", async () => {
    const { ask, inside, outside } = await two(
      { udp: (query, send) => send(respond(query, next(query, "corp.example"))) },
      { udp: (query, send) => send(respond(query, next(query, "test"))) },
    );
    const reply = await ask(queryFor("n0.test", { edns: {} }));
    expect(decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply.toString("latin1")).toContain("aliases (CNAME) lead through too many routes");
    expect(outside.queries.length + inside.queries.length).toBe(9);
  });
});

test("an alias that leads where nobody answers for is given as its upstream gave it", async () => {
  const fake = await upstream(
    zone({ "www.corp.example": { answers: [cname("www.corp.example", "x.outside"), a("x.outside", "192.0.2.5")] } }),
  );
  const { ask } = await rigOf([{ zone: "corp.example", upstreams: [fake] }]);
  expect(dataOf(await ask(queryFor("www.corp.example")))).toEqual(["x.outside", "192.0.2.5"]);
});

test("a question for the alias itself is answered by its own route alone", async () => {
  const { ask, inside } = await two(zone({ "alias.test": ALIAS }), {});
  expect(dataOf(await ask(queryFor("alias.test", { type: "CNAME" })))).toEqual(["www.corp.example"]);
  expect(inside.queries.length).toBe(0);
});

describe("aliases from local data into a route", () => {
  const LOCAL = zoneFrom(`$ORIGIN local.test.
$TTL 50
@ SOA ns x 1 1 1 1 30
www CNAME www.corp.example.
two CNAME www
back CNAME back.corp.example.
nowhere CNAME x.nowhere.invalid.
loop CNAME loop
`);

  async function local(data: Readonly<Record<string, Partial<Packet>>>, clock?: FakeClock) {
    const inside = await upstream(zone(data));
    return { inside, ...(await rigOf([{ zone: "corp.example", upstreams: [inside] }], clock, [LOCAL])) };
  }

  test("are completed from there, through other local names too, and cost one question", async () => {
    const { ask, count, inside } = await local({
      "www.corp.example": { answers: [a("www.corp.example", "192.0.2.1")] },
    });
    const first = await ask(queryFor("WWW.local.test"));
    expect(decoded(first)).toMatchObject({ rcode: "NOERROR", flag_aa: false });
    expect(decoded(first).answers?.map(({ name }) => name)).toEqual(["WWW.local.test", "www.corp.example"]);
    expect(ttlsOf(first)).toEqual([50, 60]);
    expect(dataOf(await ask(queryFor("two.local.test")))).toEqual(["www.local.test", "www.corp.example", "192.0.2.1"]);
    expect([inside.queries.length, count("forwarded")]).toEqual([1, 2]);
  });

  test("end in the route's NXDOMAIN, in its failure, and in what is stale of it", async () => {
    const clock = new FakeClock();
    const data: Record<string, Partial<Packet>> = {
      "www.corp.example": { flags: 0x83, answers: [], authorities: [SOA] },
    };
    const { ask } = await local(data, clock);
    expect(decoded(await ask(queryFor("www.local.test")))).toMatchObject({ rcode: "NXDOMAIN", answers: [{ ttl: 50 }] });
    clock.advance(seconds(60));
    data["www.corp.example"] = { flags: 0x82, answers: [] };
    const stale = await ask(queryFor("www.local.test", { edns: {} }));
    expect(decoded(stale)).toMatchObject({ rcode: "NXDOMAIN", answers: [{ ttl: 30 }] });
    clock.advance(seconds(7_200));
    expect(decoded(await ask(queryFor("www.local.test"))).rcode).toBe("SERVFAIL");
  });

  test("that come back to local data and lead on again get SERVFAIL", async () => {
    const { ask, server } = await local({
      "back.corp.example": { answers: [cname("back.corp.example", "back.local.test")] },
    });
    const reply = await ask(queryFor("back.local.test", { edns: {} }));
    expect(decoded(reply).rcode).toBe("SERVFAIL");
    expect(reply.toString("latin1")).toContain("an alias (CNAME) leads back to itself");
    expect(server.forwarder.inFlight).toBe(0);
  });

  test("are given as they are when no route answers, when they loop, when they are asked for, and without recursion", async () => {
    const { ask, inside } = await local({});
    expect(dataOf(await ask(queryFor("nowhere.local.test")))).toEqual(["x.nowhere.invalid"]);
    expect(dataOf(await ask(queryFor("loop.local.test")))).toEqual(["loop.local.test"]);
    expect(dataOf(await ask(queryFor("www.local.test", { type: "CNAME" })))).toEqual(["www.corp.example"]);
    expect(dataOf(await ask(queryFor("www.local.test", { flags: 0 })))).toEqual(["www.corp.example"]);
    expect(inside.queries.length).toBe(0);
  });
});
