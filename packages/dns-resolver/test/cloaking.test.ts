import { seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import dnsPacket, { type Answer } from "dns-packet";
import { describe, expect, test } from "vitest";
import { Explainer } from "../src/explain.ts";
import type { Reason } from "../src/reasons.ts";
import { respond, type FakeUpstream } from "./fake-upstream.ts";
import { dataOf, decoded, ttlsOf, type QueryOptions } from "./fixtures.ts";
import { inTime, passing, upstream } from "./rig.ts";
import { put, serving, write, type Site } from "./site.ts";

const cname = (name: string, data: string, ttl = 300): Answer => ({ type: "CNAME", name, ttl, data });
const a = (name: string, data: string, ttl = 60): Answer => ({ type: "A", name, ttl, data });
const signature = (name: string, typeCovered: string): Answer =>
  ({
    type: "RRSIG",
    name,
    ttl: 300,
    data: {
      typeCovered,
      algorithm: 8,
      labels: 3,
      originalTTL: 300,
      expiration: 2,
      inception: 1,
      keyTag: 1,
      signersName: "example",
      signature: Buffer.from("s"),
    },
  }) as Answer;

const RPZ = "$TTL 300\n@ SOA localhost. root.localhost. 1 2 3 4 5\n  NS localhost.\n";

type Zone = Record<string, readonly Answer[] | undefined>;

/** Answers by name; a name that is not there is not answered. */
function answersOf(data: Zone): Promise<FakeUpstream> {
  return upstream({
    udp: (query, send) => {
      const found = data[dnsPacket.decode(query).questions?.[0]?.name.toLowerCase() ?? ""];
      if (found !== undefined) send(respond(query, { answers: [...found] }));
    },
  });
}

interface Cloaked extends Site {
  /** By the routes' order. */
  readonly fakes: readonly FakeUpstream[];
  readonly clock: FakeClock;
  /** Changes the lists, and what else stands in the site's file. */
  reload(lists: string, more?: string): Promise<void>;
  /** Another process with what this one has saved. */
  restarted(lists: string): Promise<Site>;
}

/** A resolver over sockets with a response policy zone, and a route for each zone of `routes`. */
async function behind(routes: Readonly<Record<string, Zone>>, lists: string, more = ""): Promise<Cloaked> {
  const fakes = await Promise.all(Object.values(routes).map(answersOf));
  const lines = Object.keys(routes).map(
    (zone, i) => `    - { zone: "${zone}", upstreams: ["127.88.0.2:${fakes[i]?.port ?? 0}"] }\n`,
  );
  const file = (text: string, rest: string): string => {
    put("list", `${RPZ}${text}`);
    return write(
      `  routes:\n${lines.join("")}${rest}${text === "" ? "" : "  policies: [{ file: list, kind: rpz }]\n"}`,
    );
  };
  const clock = new FakeClock();
  const site = await serving(file(lists, more), clock);
  const reload = async (text: string, rest = more): Promise<void> => {
    file(text, rest);
    await inTime(clock, site.adopt());
  };
  const restarted = async (text: string): Promise<Site> => {
    site.saved.save(site.now());
    return serving(file(text, more), new FakeClock(clock.wallMicros()));
  };
  return { ...site, fakes, clock, reload, restarted };
}

const CHAIN: Zone = {
  "www.shop.example": [
    cname("www.shop.example", "cdn.shop.example"),
    cname("cdn.shop.example", "X.Tracker.example", 100),
    cname("x.tracker.example", "edge.cloud.example"),
    a("edge.cloud.example", "192.0.2.9"),
  ],
};
const WHOLE = ["cdn.shop.example", "X.Tracker.example", "edge.cloud.example", "192.0.2.9"];
const UP_TO_TRACKER = ["cdn.shop.example", "X.Tracker.example"];
const cloaked = (lists: string): Promise<Cloaked> => behind({ ".": CHAIN }, lists);

/** Rcode, and the data of the answers. */
async function fate(site: Site, name: string, options?: QueryOptions): Promise<unknown[]> {
  const reply = await site.ask(name, options);
  return [decoded(reply).rcode, dataOf(reply)];
}

const asked = ({ fakes }: Cloaked): number[] => fakes.map(({ queries }) => queries.length);

describe("names that aliases lead to", () => {
  test.each<[list: string, rcode: string, data: readonly string[], reason: Reason]>([
    ["*.tracker.example CNAME .", "NXDOMAIN", UP_TO_TRACKER, "policy-nxdomain"],
    ["x.tracker.example CNAME *.", "NOERROR", UP_TO_TRACKER, "policy-nodata"],
    ["x.tracker.example A 198.51.100.1", "NOERROR", [...UP_TO_TRACKER, "198.51.100.1"], "policy-address"],
    ["x.tracker.example AAAA 2001:db8::1", "NOERROR", UP_TO_TRACKER, "policy-address"],
    ["*.cloud.example CNAME .", "NXDOMAIN", WHOLE.slice(0, 3), "policy-nxdomain"],
    ["cdn.shop.example CNAME .\nx.tracker.example CNAME *.", "NXDOMAIN", WHOLE.slice(0, 1), "policy-nxdomain"],
  ])("are judged by the lists, once for all who ask: %s", async (list, rcode, data, reason) => {
    const site = await cloaked(`${list}\n`);
    for (let i = 1; i <= 3; i += 1) {
      const reply = await site.ask("WWW.shop.example", { edns: {} });
      expect([decoded(reply).rcode, dataOf(reply)]).toEqual([rcode, data]);
      expect(decoded(reply).questions?.[0]?.name).toBe("WWW.shop.example");
      expect(decoded(reply).answers?.[0]?.name).toBe("WWW.shop.example");
      expect(reply.toString("latin1")).toContain("policy list");
      expect(site.count(reason)).toBe(i);
    }
    expect(asked(site)).toEqual([1]);
  });

  test("are looked up in the order of the chain: the first that a list has decides, an exception too", async () => {
    const blocked = "*.tracker.example CNAME .\n";
    for (const pass of ["www.shop.example", "cdn.shop.example"]) {
      const site = await cloaked(`${blocked}${pass} CNAME rpz-passthru.\n`);
      for (let i = 0; i < 2; i += 1) expect(await fate(site, "www.shop.example")).toEqual(["NOERROR", WHOLE]);
    }
    const late = await cloaked(`${blocked}edge.cloud.example CNAME rpz-passthru.\n`);
    expect(await fate(late, "www.shop.example")).toEqual(["NXDOMAIN", UP_TO_TRACKER]);
  });

  test("count by their place in the chain before the order of the lists", async () => {
    const policies = "  policies: [{ file: hosts, kind: hosts }, { file: own, kind: rpz }]\n";
    put("own", `${RPZ}cdn.shop.example CNAME rpz-passthru.\n`);
    put("hosts", "0.0.0.0 x.tracker.example\n");
    const site = await behind({ ".": CHAIN }, "", policies);
    expect(await fate(site, "www.shop.example")).toEqual(["NOERROR", WHOLE]);
  });

  test("have TTLs that go down on the way, and at the end that of the list", async () => {
    const site = await cloaked("x.tracker.example A 198.51.100.1\n");
    expect(ttlsOf(await site.ask("www.shop.example"))).toEqual([300, 100, 300]);
    site.clock.advance(seconds(10));
    expect(ttlsOf(await site.ask("www.shop.example"))).toEqual([290, 90, 300]);
    await site.reload("x.tracker.example CNAME .\n");
    site.clock.advance(seconds(10));
    const reply = await site.ask("www.shop.example");
    expect(ttlsOf(reply)).toEqual([280, 80]);
    expect(decoded(reply).authorities).toMatchObject([{ name: "x.tracker.example", type: "SOA", ttl: 60 }]);
    expect(asked(site)).toEqual([1]);
  });

  test("are no matter to who asks for the alias itself", async () => {
    const alias = [cname("cdn.shop.example", "x.tracker.example")];
    const site = await behind({ ".": { "cdn.shop.example": alias } }, "*.tracker.example CNAME .\n");
    for (let i = 0; i < 2; i += 1) {
      expect(await fate(site, "cdn.shop.example", { type: "CNAME" })).toEqual(["NOERROR", ["x.tracker.example"]]);
    }
    expect(await fate(site, "cdn.shop.example", { type: "TXT" })).toEqual(["NXDOMAIN", ["x.tracker.example"]]);
  });

  test("that are local data are the operator's own, and what local data leads to is not asked for when a list has it", async () => {
    put(
      "zone",
      "$ORIGIN corp.test.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\nwww CNAME host\nhost A 192.0.2.1\nout CNAME x.tracker.example.\n",
    );
    const local = "  local: { zones: [zone] }\n";
    const outside = {
      "alias.example": [cname("alias.example", "host.corp.test")],
      "x.tracker.example": [a("x.tracker.example", "192.0.2.66")],
    };
    const site = await behind({ ".": outside }, "*.corp.test CNAME .\n*.tracker.example CNAME .\n", local);
    expect(await fate(site, "www.corp.test")).toEqual(["NOERROR", ["host.corp.test", "192.0.2.1"]]);
    expect(await fate(site, "alias.example")).toEqual(["NOERROR", ["host.corp.test", "192.0.2.1"]]);
    expect(await fate(site, "out.corp.test")).toEqual(["NXDOMAIN", ["x.tracker.example"]]);
    expect([site.count("local"), site.count("policy-nxdomain"), ...asked(site)]).toEqual([1, 1, 1]);
    await site.reload("*.tracker.example CNAME .\nout.corp.test CNAME rpz-passthru.\n");
    expect(await fate(site, "out.corp.test")).toEqual(["NOERROR", ["x.tracker.example", "192.0.2.66"]]);
  });
});

describe("a reload judges what is in the cache anew, without asking", () => {
  test("a name that is put on a list, or taken off it", async () => {
    const site = await cloaked("other.example CNAME .\n");
    const whole = ["NOERROR", WHOLE];
    expect(await fate(site, "www.shop.example")).toEqual(whole);
    await site.reload("x.tracker.example CNAME .\n");
    for (let i = 0; i < 2; i += 1) expect(await fate(site, "www.shop.example")).toEqual(["NXDOMAIN", UP_TO_TRACKER]);
    await site.reload("x.tracker.example CNAME *.\n");
    expect(await fate(site, "www.shop.example")).toEqual(["NOERROR", UP_TO_TRACKER]);
    await site.reload("x.tracker.example CNAME rpz-passthru.\n");
    for (let i = 0; i < 2; i += 1) expect(await fate(site, "www.shop.example")).toEqual(whole);
    await site.reload("edge.cloud.example A 198.51.100.1\n");
    expect(await fate(site, "www.shop.example")).toEqual(["NOERROR", [...WHOLE.slice(0, 3), "198.51.100.1"]]);
    await site.reload("");
    expect(await fate(site, "www.shop.example")).toEqual(whole);
    expect([asked(site), site.count("forwarded")]).toEqual([[1], 1]);
  });

  test("a name that has become local data, or was", async () => {
    const site = await cloaked("*.tracker.example CNAME .\n");
    expect(await fate(site, "www.shop.example")).toEqual(["NXDOMAIN", UP_TO_TRACKER]);
    put("hosts", "192.0.2.77 x.tracker.example\n");
    await site.reload("*.tracker.example CNAME .\n", "  local: { hosts: [hosts] }\n");
    expect(await fate(site, "www.shop.example")).toEqual(["NOERROR", [...UP_TO_TRACKER, "192.0.2.77"]]);
  });

  test("an answer that came after it to a question that was put before it", async () => {
    const held: (() => void)[] = [];
    const slow = await upstream({
      udp: (query, send) =>
        void held.push(() => send(respond(query, { answers: [...(CHAIN["www.shop.example"] ?? [])] }))),
    });
    const route = `  routes: [{ zone: ".", upstreams: ["127.88.0.2:${slow.port}"] }]\n`;
    const clock = new FakeClock();
    const site = await serving(write(route), clock);
    const waiting = site.ask("www.shop.example");
    await passing(clock, () => held.length > 0);
    put("list", "tracker.example\n");
    write(`${route}  policies: [{ file: list, kind: domains }]\n`);
    await inTime(clock, site.adopt());
    for (const answer of held) answer();
    expect(decoded(await inTime(clock, waiting)).rcode).toBe("NXDOMAIN");
    expect(decoded(await site.ask("www.shop.example")).rcode).toBe("NXDOMAIN");
  });
});

describe("an answer that lists have judged", () => {
  test("is judged as it is when it is expired, by the lists of now", async () => {
    const data: Zone = { ...CHAIN };
    const site = await behind({ ".": data }, "*.tracker.example CNAME .\n");
    await site.ask("www.shop.example");
    delete data["www.shop.example"];
    site.clock.advance(seconds(400));
    const blocked = await inTime(site.clock, site.ask("www.shop.example", { edns: {} }));
    expect([decoded(blocked).rcode, dataOf(blocked), ttlsOf(blocked)]).toEqual(["NXDOMAIN", UP_TO_TRACKER, [30, 30]]);
    expect(blocked.toString("latin1")).toContain("policy list");
    await site.reload("other.example CNAME .\n");
    expect(dataOf(await inTime(site.clock, site.ask("www.shop.example")))).toEqual(WHOLE);
    expect([site.count("stale"), site.count("policy-nxdomain")]).toEqual([1, 2]);
  });

  test("is judged anew when another takes its place, be it asked for before its end or after", async () => {
    const data: Zone = { ...CHAIN };
    const site = await behind({ ".": data }, "*.tracker.example CNAME .\n");
    expect(await fate(site, "www.shop.example")).toEqual(["NXDOMAIN", UP_TO_TRACKER]);
    data["www.shop.example"] = [cname("www.shop.example", "good.example", 100), a("good.example", "192.0.2.5", 100)];
    site.clock.advance(seconds(57));
    for (let i = 0; i < 3 && asked(site)[0] === 1; i += 1) await site.ask("www.shop.example");
    await passing(site.clock, () => asked(site)[0] === 2 && site.server.forwarder.inFlight === 0);
    expect(await fate(site, "www.shop.example")).toEqual(["NOERROR", ["good.example", "192.0.2.5"]]);
    data["www.shop.example"] = CHAIN["www.shop.example"];
    site.clock.advance(seconds(101));
    for (let i = 0; i < 2; i += 1) expect(await fate(site, "www.shop.example")).toEqual(["NXDOMAIN", UP_TO_TRACKER]);
    data["www.shop.example"] = [cname("www.shop.example", "y.tracker.example"), a("y.tracker.example", "192.0.2.6")];
    site.clock.advance(seconds(61));
    for (let i = 0; i < 2; i += 1)
      expect(await fate(site, "www.shop.example")).toEqual(["NXDOMAIN", ["y.tracker.example"]]);
    expect(asked(site)).toEqual([4]);
  });

  test("is saved as the upstream gave it, and judged after a start by the lists of then", async () => {
    const site = await cloaked("*.tracker.example CNAME .\n");
    await site.ask("www.shop.example");
    for (const [lists, data] of [
      ["", WHOLE],
      ["*.cloud.example CNAME .\n", WHOLE.slice(0, 3)],
    ] as const) {
      const next = await site.restarted(lists);
      for (let i = 0; i < 2; i += 1) expect(dataOf(await next.ask("www.shop.example"))).toEqual(data);
    }
    expect(asked(site)).toEqual([1]);
  });

  test("is explained: where it leads, and what answers there", async () => {
    const site = await cloaked("*.tracker.example CNAME .\n");
    const { resolver, server, clock } = site;
    const explainer = new Explainer({ resolver, forwarder: server.forwarder, clock, self: "nyc/nyc-1" });
    resolver.explain = (query) => explainer.lines(query);
    await site.ask("www.shop.example");
    const lines = dataOf(await site.ask("_explain.www.shop.example", { type: "TXT", edns: {} }));
    expect(lines[3]).toMatch(
      /^A: in the cache .*; leads to x\.tracker\.example\., which is answered by policy list: policy-nxdomain$/,
    );
  });

  test("has the signatures of the aliases up to the name, and their DNAME, and nothing of what stands behind", async () => {
    const dname: Answer = { type: "DNAME", name: "old.example", ttl: 300, data: "new.example" };
    const other: Answer = { type: "DNAME", name: "tracker.example", ttl: 300, data: "cloud.example" };
    const answers: Answer[] = [
      dname,
      signature("old.example", "DNAME"),
      cname("www.old.example", "www.new.example"),
      cname("www.new.example", "x.tracker.example"),
      signature("www.new.example", "CNAME"),
      other,
      signature("tracker.example", "DNAME"),
      cname("x.tracker.example", "x.cloud.example"),
      a("x.cloud.example", "192.0.2.9"),
      signature("x.cloud.example", "A"),
    ];
    const site = await behind({ ".": { "www.old.example": answers } }, "*.tracker.example CNAME .\n");
    for (let i = 0; i < 2; i += 1) {
      const reply = decoded(await site.ask("www.old.example", { edns: { dnssecOk: true } }));
      expect(reply.rcode).toBe("NXDOMAIN");
      expect(reply.answers?.map(({ type, name }) => `${type} ${name}`)).toEqual([
        "DNAME old.example",
        "RRSIG old.example",
        "CNAME www.old.example",
        "CNAME www.new.example",
        "RRSIG www.new.example",
      ]);
    }
  });
});

describe("a name that a list answers is not asked for", () => {
  const outside: Zone = { "alias.test": [cname("alias.test", "www.corp.example")] };
  const inside: Zone = { "www.corp.example": [a("www.corp.example", "192.0.2.1")] };
  const BLOCKED = "www.corp.example CNAME .\n";
  const whole = ["NOERROR", ["www.corp.example", "192.0.2.1"]];

  test("when an alias leads to it in another route, and is when it is taken off the list", async () => {
    const site = await behind({ ".": outside, "corp.example": inside }, BLOCKED);
    for (let i = 0; i < 3; i += 1) expect(await fate(site, "alias.test")).toEqual(["NXDOMAIN", ["www.corp.example"]]);
    expect(asked(site)).toEqual([1, 0]);
    await site.reload("www.corp.example A 198.51.100.1\n");
    expect(await fate(site, "alias.test")).toEqual(["NOERROR", ["www.corp.example", "198.51.100.1"]]);
    expect(asked(site)).toEqual([1, 0]);
    await site.reload("other.example CNAME .\n");
    expect(await fate(site, "alias.test")).toEqual(whole);
    expect(asked(site)).toEqual([2, 1]);
  });

  test("when its upstream has not followed the alias", async () => {
    const site = await behind({ ".": outside }, BLOCKED);
    expect(await fate(site, "alias.test")).toEqual(["NXDOMAIN", ["www.corp.example"]]);
    expect(asked(site)).toEqual([1]);
  });

  test("but is for a name that is an exception, however many routes lead there", async () => {
    const first: Zone = { "start.first.test": [cname("start.first.test", "alias.test")] };
    const routes = { ".": outside, "first.test": first, "corp.example": inside };
    const site = await behind(routes, `${BLOCKED}start.first.test CNAME rpz-passthru.\n`);
    expect(await fate(site, "alias.test")).toEqual(["NXDOMAIN", ["www.corp.example"]]);
    for (let i = 0; i < 2; i += 1) {
      expect(await fate(site, "start.first.test")).toEqual([
        "NOERROR",
        ["alias.test", "www.corp.example", "192.0.2.1"],
      ]);
      expect(await fate(site, "alias.test")).toEqual(["NXDOMAIN", ["www.corp.example"]]);
    }
    expect(asked(site)).toEqual([2, 1, 1]);
  });

  test("and what ends there is not served when it is expired and the name is off the list", async () => {
    const dead: Zone = { ...outside };
    const site = await behind({ ".": dead, "corp.example": inside }, BLOCKED);
    await site.ask("alias.test");
    delete dead["alias.test"];
    site.clock.advance(seconds(400));
    const stale = await inTime(site.clock, site.ask("alias.test"));
    expect([decoded(stale).rcode, ttlsOf(stale)]).toEqual(["NXDOMAIN", [30]]);
    await site.reload("other.example CNAME .\n");
    expect(decoded(await inTime(site.clock, site.ask("alias.test"))).rcode).toBe("SERVFAIL");
  });

  test("and what ends there is said not to be used once the name is off the list", async () => {
    const site = await behind({ ".": outside, "corp.example": inside }, BLOCKED);
    const { resolver, server, clock } = site;
    const explainer = new Explainer({ resolver, forwarder: server.forwarder, clock, self: "nyc/nyc-1" });
    resolver.explain = (query) => explainer.lines(query);
    const line = async (): Promise<unknown> => dataOf(await site.ask("_explain.alias.test", { type: "TXT" }))[3];
    await site.ask("alias.test");
    expect(await line()).toMatch(/; leads to www\.corp\.example\., which is answered by policy list: policy-nxdomain$/);
    await site.reload("other.example CNAME .\n");
    expect(await line()).toMatch(/; ends where a list had a name, so that it is asked for anew$/);
    await site.ask("alias.test");
    expect(await line()).toMatch(/ left$/);
  });

  test("nor is what ends there saved", async () => {
    const site = await behind({ ".": outside, "corp.example": inside }, BLOCKED);
    await site.ask("alias.test");
    expect(await fate(await site.restarted("other.example CNAME .\n"), "alias.test")).toEqual(whole);
  });
});
