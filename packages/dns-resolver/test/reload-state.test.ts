import { seconds, SystemClock } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import type { Packet } from "dns-packet";
import { describe, expect, test, vi } from "vitest";
import { Adoptions } from "../src/reload/adoptions.ts";
import { Reloader } from "../src/reload/reloader.ts";
import { readServed, type Served } from "../src/served.ts";
import { atOnce } from "../src/sliced.ts";
import { SiteDocument } from "@stitch/config";
import { respond, type FakeUpstream } from "./fake-upstream.ts";
import { client, cookieOf, dataOf, decoded, queryFor, ttlsOf, withCookie, soaFor } from "./fixtures.ts";
import { inTime, upstream } from "./rig.ts";
import { addressOf, answering, put, routes, serving, SILENT, write, type Site } from "./site.ts";

const SOA = soaFor(900);

interface Changing extends Site {
  readonly fake: FakeUpstream;
  readonly clock: FakeClock;
  /** How the upstream answers from now on; silence when undefined. */
  become(fields: Partial<Packet> | undefined): void;
  /** Writes the site's file with these lines besides the route, and serves it. */
  reload(more?: string): Promise<void>;
}

/** A site with one route, whose upstream does as told. */
async function changing(more = ""): Promise<Changing> {
  let now: Partial<Packet> | undefined = {};
  const fake = await upstream({ udp: (query, send) => now !== undefined && send(respond(query, now)) });
  const route = `  routes: [{ zone: ".", upstreams: ["127.88.0.2:${fake.port}"] }]\n`;
  const clock = new FakeClock();
  const site = await serving(write(`${route}${more}`), clock);
  const reload = async (lines = ""): Promise<void> => {
    write(`${route}${lines}`);
    await inTime(clock, site.adopt());
  };
  return { ...site, fake, clock, reload, become: (fields) => void (now = fields) };
}

describe("a reload forgets", () => {
  test("what has failed: it is how an operator mends that", async () => {
    const { ask, become, count, fake, reload } = await changing();
    become({ flags: 0x82, answers: [] });
    for (let i = 0; i < 2; i += 1) expect(decoded(await ask("www.example")).rcode).toBe("SERVFAIL");
    expect(count("failed-before")).toBe(1);
    become({});
    const asked = fake.queries.length;
    await reload();
    expect(dataOf(await ask("www.example"))).toEqual(["192.0.2.7"]);
    expect(fake.queries.length).toBe(asked + 1);
  });

  test("an answer that led into a route that is gone", async () => {
    const aliased = await upstream({
      udp: (query, send) => {
        const name = decoded(query).questions?.[0]?.name ?? ".";
        const alias = { type: "CNAME", name, ttl: 60, data: "www.corp.example" } as const;
        send(
          respond(query, { answers: [name.toLowerCase() === alias.data ? addressOf(query, "203.0.113.9") : alias] }),
        );
      },
    });
    const { adopt, ask } = await serving(write(routes(aliased, await answering("192.0.2.2"))));
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
    write(`  routes: [{ zone: ".", upstreams: ["127.88.0.2:${aliased.port}"] }]\n`);
    await adopt();
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
  });

  test("questions that are on their way under the old number: they would be counted for ever", async () => {
    const held: (() => void)[] = [];
    const aliased = await upstream({
      udp: (query, send) => {
        const name = decoded(query).questions?.[0]?.name ?? ".";
        if (name.toLowerCase().startsWith("slow")) held.push(() => send(respond(query)));
        else send(respond(query, { answers: [{ type: "CNAME", name, ttl: 60, data: "www.corp.example" }] }));
      },
    });
    const { adopt, ask, now, server } = await serving(write(routes(aliased, await answering("192.0.2.2"))));
    await ask("www.example");
    const slow = ask("slow.example");
    await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 20_000 });
    expect(server.forwarder.load).toBeGreaterThan(0);
    write(routes(aliased, await answering("192.0.2.3")));
    await adopt();
    expect(server.forwarder.load).toBe(0);
    for (const answer of held) answer();
    await slow;
    expect([...now().routes.values()].map(({ inFlight, waiting }) => [inFlight, waiting])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});

describe("a reload puts in place", () => {
  test("the caps of TTLs, for answers from then on", async () => {
    const { ask, become, reload } = await changing("  cache: { maxTtl: 50s, negativeTtl: 5s }\n");
    const no: Partial<Packet> = { flags: 0x83, answers: [], authorities: [SOA] };
    const ttls = async (name: string): Promise<number[]> => {
      become({});
      const yes = ttlsOf(await ask(`${name}.example`));
      become(no);
      const { authorities = [] } = decoded(await ask(`no-${name}.example`));
      return [...yes, ...authorities.map((record) => ("ttl" in record ? (record.ttl ?? 0) : -1))];
    };
    expect(await ttls("before")).toEqual([50, 5]);
    await reload("  cache: { maxTtl: 40s, negativeTtl: 20s }\n");
    expect(await ttls("after")).toEqual([40, 20]);
    expect(await ttls("after")).toEqual([40, 20]);
  });

  test("how long an answer may be served stale", async () => {
    const { ask, become, clock, count, reload } = await changing();
    await ask("www.example");
    become({ flags: 0x82, answers: [] });
    clock.advance(seconds(100));
    expect(ttlsOf(await ask("www.example"))).toEqual([30]);
    await reload("  cache: { stale: 0s }\n");
    expect(decoded(await ask("www.example")).rcode).toBe("SERVFAIL");
    expect(count("stale")).toBe(1);
  });

  test("policies, and takes them away", async () => {
    const { ask, reload } = await changing();
    put("list", "www.example\n");
    expect(decoded(await ask("www.example")).rcode).toBe("NOERROR");
    await reload("  policies: [{ file: list, kind: domains }]\n");
    expect(decoded(await ask("www.example")).rcode).toBe("NXDOMAIN");
    put("list", "other.example\n");
    await reload("  policies: [{ file: list, kind: domains }]\n");
    expect(decoded(await ask("www.example")).rcode).toBe("NOERROR");
    await reload();
    expect(decoded(await ask("other.example")).rcode).toBe("NOERROR");
  });

  test("admin networks and cookies", async () => {
    const { reload, resolver } = await changing();
    const out = new Uint8Array(65_535);
    const reply = (query: Uint8Array): Buffer => {
      resolver.decide(query, 0, query.length, client(10, 1, 2, 3), 0, false, 0, out, 0);
      return Buffer.from(out.subarray(0, resolver.length));
    };
    const version = queryFor("version.bind", { type: "TXT", class: "CH" });
    const hello = withCookie(Buffer.from("2464c4abcf10c957", "hex"));
    expect(decoded(reply(version)).rcode).toBe("REFUSED");
    expect(cookieOf(reply(hello))).toBeUndefined();
    put("secret", "00112233445566778899aabbccddeeff");
    await reload("  admin: [10.1.0.0/16]\n  cookies: { secrets: [secret] }\n");
    expect(decoded(reply(version)).rcode).toBe("NOERROR");
    expect(cookieOf(reply(hello))).toHaveLength(24);
  });
});

describe("a reload keeps", () => {
  test("who is over his budget: else a flood is let in with every one", async () => {
    const limit = "  limit: { perNetwork: 1, slip: 1, exempt: [] }\n";
    const { ask, count, reload } = await changing(limit);
    for (let i = 0; i < 40; i += 1) await ask("localhost");
    const [answered, limited] = [count("local"), count("rate-slipped")];
    expect(limited).toBeGreaterThan(0);
    await reload(limit);
    for (let i = 0; i < 10; i += 1) await ask("localhost");
    expect([count("local"), count("rate-slipped")]).toEqual([answered, limited + 10]);
  });
});

/** Everything of a turn that is settled has had its say. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

describe("a reload is done", () => {
  test("when every worker has said so, and not before", async () => {
    const adoptions = new Adoptions(3);
    for (let reloads = 0; reloads < 2; reloads += 1) {
      let done = false;
      void adoptions.all().then(() => (done = true));
      for (let worker = 0; worker < 3; worker += 1) {
        await turn();
        expect(done).toBe(false);
        adoptions.one();
      }
      await turn();
      expect(done).toBe(true);
    }
  });

  test("and whoever asked for it hears so when the workers answer by it", async () => {
    const document = SiteDocument.load(write(""));
    const placing = Promise.withResolvers<void>();
    const running = atOnce(readServed(document, 1));
    const adopt = vi.fn<(next: Served) => Promise<void>>(() => placing.promise);
    const reloader = new Reloader({ document, seed: 1, running, clock: new SystemClock(), log: SILENT, adopt });
    write("  allow: [10.0.0.0/8]\n");
    let done = false;
    const reload = reloader.reload().then(() => (done = true));
    await vi.waitFor(() => expect(adopt).toHaveBeenCalledTimes(1), { timeout: 20_000 });
    await turn();
    expect([done, reloader.running, reloader.counts.accepted]).toEqual([false, running, 0]);
    placing.resolve();
    await reload;
    expect(reloader.running.dns.allow).toHaveLength(1);
  });
});
