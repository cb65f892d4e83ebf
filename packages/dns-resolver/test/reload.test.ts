import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemClock } from "@stitch/clock";
import { SiteDocument } from "@stitch/config";
import { createLogger, Outcomes } from "@stitch/health";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Cache } from "../src/cache.ts";
import { claimed } from "../src/claim.ts";
import { openControl } from "../src/control.ts";
import { REASONS } from "../src/reasons.ts";
import type { Change } from "../src/reload/changes.ts";
import { Reloader } from "../src/reload/reloader.ts";
import { ReloadWishes } from "../src/reload/wishes.ts";
import { Resolver } from "../src/resolver.ts";
import { SavedCache } from "../src/saved/file.ts";
import { readServed, type Served } from "../src/served.ts";
import { DnsServer } from "../src/server.ts";
import { ServingBuilder, type Serving } from "../src/serving.ts";
import { atOnce, sliced } from "../src/sliced.ts";
import { respond, type FakeUpstream } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor } from "./fixtures.ts";
import { selfSigned } from "./self-signed.ts";
import { askUdp, upstream, whenDone } from "./rig.ts";

const SILENT = createLogger({ service: "dns", site: "nyc", instance: "nyc-1" });
SILENT.level = "silent";
const clock = new SystemClock();
let folder: string;

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "stitch-reload-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes the site's file; `dns` are the lines of its section, each indented by two. */
function write(dns: string, head = "site: nyc\ninstance: nyc-1"): string {
  const file = join(folder, "site.yaml");
  writeFileSync(file, `${head}\ndns:\n  listen: ["127.88.0.1:5300"]\n${dns}`);
  return file;
}

function reader(file: string): { reloader: Reloader; adopted: Served[] } {
  const document = SiteDocument.load(file);
  const adopted: Served[] = [];
  const adopt = async (served: Served): Promise<void> => void adopted.push(served);
  const running = atOnce(readServed(document, 1));
  return { reloader: new Reloader({ document, seed: 1, running, clock, log: SILENT, adopt }), adopted };
}

function routeThatIs(critical: boolean): string {
  return `  routes: [{ zone: ".", upstreams: ["10.0.0.1"], critical: ${critical} }]\n`;
}

function problemsOf(change: Change): string {
  return change.kind === "refused" ? change.problems.join("\n") : "";
}

describe("a reload of the resolver", () => {
  test("that makes a route less critical, or critical again, leaves its cache and its upstreams as they are", async () => {
    const { reloader, adopted } = reader(write(routeThatIs(true)));
    const builder = new ServingBuilder(clock, 1, 1);
    const now = (): [number, { minor?: boolean; upstreams: readonly unknown[] }][] => {
      const served = adopted.at(-1) ?? atOnce(readServed(SiteDocument.load(join(folder, "site.yaml")), 1));
      return [...atOnce(builder.building(served)).routes];
    };
    const [number, { upstreams, minor }] = now()[0] ?? [-1, { upstreams: [] }];
    expect([number >= 0, minor]).toEqual([true, false]);
    for (const critical of [false, true]) {
      write(routeThatIs(critical));
      const change = critical ? "route . critical" : "route . not critical any more";
      expect(await reloader.reload()).toEqual({ kind: "accepted", changes: [change] });
      expect(now()).toEqual([[number, expect.objectContaining({ minor: !critical })]]);
      expect(now()[0]?.[1].upstreams).toBe(upstreams);
    }
  });

  test("says what is different, one phrase each", async () => {
    const zone = join(folder, "a.zone");
    writeFileSync(zone, "$ORIGIN a.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n");
    const { reloader, adopted } = reader(
      write('  routes: [{ zone: ".", upstreams: ["10.0.0.1"] }, { zone: b.example, upstreams: ["10.0.0.2"] }]\n'),
    );
    write(
      `  routes: [{ zone: ".", upstreams: ["10.0.0.3"] }, { zone: c.example, upstreams: ["10.0.0.2"] }]
  local: { zones: [a.zone] }
  allow: [10.0.0.0/8]
  limit: { perNetwork: 7 }
  cache: { maxTtl: 1h }\n`,
    );
    const secret = "00112233445566778899aabbccddeeff";
    expect(await reloader.reload()).toEqual({
      kind: "accepted",
      changes: [
        "without route b.example",
        "route . by other settings, with an empty cache",
        "with route c.example",
        `with ${zone}`,
        "another allow list",
        "another budget of clients",
        "other times of the cache, for answers from now on",
      ],
    });
    expect(adopted).toHaveLength(1);
    writeFileSync(zone, "$ORIGIN a.example.\n$TTL 60\n@ SOA ns root 2 2 3 4 5\n");
    writeFileSync(join(folder, "cookie"), secret);
    write("  cookies: { secrets: [cookie] }\n  local: { zones: [a.zone] }\n");
    const change = await reloader.reload();
    expect(change.kind === "accepted" && change.changes).toEqual(
      expect.arrayContaining([`${zone} as it is now`, "other cookie secrets"]),
    );
    expect(await reloader.reload()).toEqual({ kind: "accepted", changes: [] });
    expect(reloader.counts).toEqual({ accepted: 3, refused: 0 });
  });

  test.each<[string, string, string]>([
    ["a file that is no YAML", "  routes: [\n", "not valid YAML"],
    ["an unknown setting", "  rotues: []\n", 'did you mean "routes"?'],
    ["a zone file that is not there", "  local: { zones: [b.zone] }\n", "b.zone: no such file"],
    ["other workers", "  workers: 2\n", "dns.workers cannot be changed while the resolver runs; restart it"],
    ["another size of the cache", "  cache: { size: 8MiB }\n", "dns.cache.size cannot be changed"],
    ["another health address", '  health: "127.0.0.1:9"\n', "dns.health cannot be changed"],
  ])("with %s changes nothing and says why", async (_what, dns, why) => {
    const { reloader, adopted } = reader(write(""));
    write(dns);
    expect(problemsOf(await reloader.reload())).toContain(why);
    expect(adopted).toEqual([]);
    expect(reloader.counts).toEqual({ accepted: 0, refused: 1 });
    write("");
    expect(await reloader.reload()).toEqual({ kind: "accepted", changes: [] });
  });

  test("from another site's file, or with a slip in a zone file, is refused", async () => {
    writeFileSync(join(folder, "a.zone"), "$ORIGIN a.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n");
    const { reloader, adopted } = reader(write("  local: { zones: [a.zone] }\n"));
    write("", "site: lon\ninstance: lon-1");
    expect(problemsOf(await reloader.reload())).toContain("is now of lon/lon-1, and nyc/nyc-1 runs");
    write("  local: { zones: [a.zone] }\n");
    writeFileSync(join(folder, "a.zone"), "$ORIGIN a.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\nwww A 192.0.2.256\n");
    expect(problemsOf(await reloader.reload())).toContain("a.zone:4: A needs one IPv4 address");
    expect(adopted).toEqual([]);
  });

  test("takes a renewed certificate, and refuses a key that is not its own", async () => {
    const [first, second] = [selfSigned("a.test"), selfSigned("a.test")];
    writeFileSync(join(folder, "cert"), first.cert);
    writeFileSync(join(folder, "key"), first.key);
    const tls = '  tls: { listen: ["127.88.0.1:8530"], cert: cert, key: key }\n';
    const { reloader, adopted } = reader(write(tls));
    writeFileSync(join(folder, "cert"), second.cert);
    expect(problemsOf(await reloader.reload())).toContain(`${join(folder, "key")}: is not the key of`);
    writeFileSync(join(folder, "key"), second.key);
    expect(await reloader.reload()).toEqual({ kind: "accepted", changes: ["another certificate"] });
    expect(adopted[0]?.identity?.cert).toBe(second.cert);
    writeFileSync(join(folder, "cert"), "no certificate");
    expect(problemsOf(await reloader.reload())).toContain("holds no certificate in PEM");
    write("");
    expect(problemsOf(await reloader.reload())).toContain("dns.tls.listen cannot be changed");
  });

  test("is done one after the other, so that the last file that was written counts", async () => {
    const { reloader, adopted } = reader(write(""));
    write("  allow: [10.0.0.0/8]\n");
    const first = reloader.reload();
    write("  allow: [192.168.0.0/16]\n");
    const second = reloader.reload();
    await Promise.all([first, second]);
    expect(adopted.at(-1)?.dns.allow).toEqual([{ family: "ipv4", address: "192.168.0.0", length: 16 }]);
  });

  test("that was wished for while the workers started is made up for", () => {
    const reload = vi.fn<() => Promise<Change>>(async () => ({ kind: "accepted", changes: [] }));
    const wishes = new ReloadWishes();
    wishes.serve({ reload });
    expect(reload).toHaveBeenCalledTimes(0);
    const early = new ReloadWishes();
    early.wished();
    early.wished();
    early.serve({ reload });
    expect(reload).toHaveBeenCalledTimes(1);
    early.wished();
    expect(reload).toHaveBeenCalledTimes(2);
  });
});

describe("the control socket", () => {
  test("reloads, and says what came of it", async () => {
    const path = join(folder, "dns.sock");
    let change: Change = { kind: "accepted", changes: ["with route a.example"] };
    const control = await openControl(path, async () => change);
    whenDone(control);
    expect(await post(path)).toEqual({ status: 200, value: change });
    change = { kind: "refused", problems: ["site.yaml:3: no", "site.yaml:4: neither"] };
    const error = "nothing has been changed: site.yaml:3: no\nsite.yaml:4: neither";
    expect(await post(path)).toEqual({ status: 409, value: { error } });
  });

  test("at a path that cannot be is an error that names the setting", async () => {
    await expect(openControl(join(folder, "a".repeat(120)), never)).rejects.toThrow("set dns.control to a shorter one");
    const path = join(folder, "dns.sock");
    whenDone(await openControl(path, never));
    await expect(openControl(path, never)).rejects.toThrow("another resolver is running here");
  });
});

async function never(): Promise<Change> {
  return { kind: "refused", problems: [] };
}

function post(socketPath: string): Promise<{ status: number | undefined; value: unknown }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method: "POST", path: "/reload" }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      response.on("end", () => resolve({ status: response.statusCode, value: JSON.parse(text) }));
    });
    call.on("error", reject);
    call.end();
  });
}

interface Site {
  readonly resolver: Resolver;
  readonly saved: SavedCache;
  now(): Serving;
  /** Serves what the site's file says now. */
  adopt(): Promise<void>;
  ask(name: string): Promise<Buffer>;
}

/** A resolver over sockets that serves the site's file, with what `saved` of a former one has left. */
async function serving(file: string): Promise<Site> {
  const builder = new ServingBuilder(clock, 1, 1);
  const read = (): Served => atOnce(readServed(SiteDocument.load(file), 1));
  const first = atOnce(builder.building(read()));
  const cache = new Cache({ size: 2 ** 20, staleSeconds: 3_600, seed: 1 });
  const resolver = new Resolver({ ...first, wallSeconds: () => 0, cache, seed: 1, identity: "nyc/nyc-1" });
  const saved = new SavedCache(join(folder, "cache"), 0, cache, clock, SILENT);
  await saved.restore(first, resolver.claims);
  let now = first;
  const server = await DnsServer.open({
    listen: await claimed([{ address: "127.88.0.1", port: 0 }], clock),
    workers: 1,
    clock,
    resolver,
    outcomes: new Outcomes(new Float64Array(REASONS.length)),
    forwarding: { routes: first.routes, ...first.limits, onChange: () => {} },
    onFailure: (failure) => {
      throw failure;
    },
  });
  whenDone(server);
  const port = server.sockets[0]?.local.port ?? 0;
  return {
    resolver,
    saved,
    now: () => now,
    adopt: async () => server.adopt((now = await sliced(builder.building(read()), clock))),
    ask: (name) => askUdp(port, queryFor(name)),
  };
}

function answering(data: string): Promise<FakeUpstream> {
  return upstream({ udp: (query, send) => send(respond(query, { answers: [addressOf(query, data)] })) });
}

function addressOf(query: Buffer, data: string): { type: "A"; name: string; ttl: number; data: string } {
  return { type: "A", name: decoded(query).questions?.[0]?.name ?? ".", ttl: 60, data };
}

function routes(root: FakeUpstream, corp: FakeUpstream): string {
  const [rootAt, corpAt] = [root, corp].map(({ port }) => `127.88.0.2:${port}`);
  return `  routes: [{ zone: ".", upstreams: ["${rootAt}"] }, { zone: corp.example, upstreams: ["${corpAt}"] }]\n`;
}

const CORP = "$ORIGIN corp.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n";

interface Aliasing extends Site {
  readonly whole: FakeUpstream;
  readonly file: string;
  /** Lines of the file that name the upstream. */
  readonly outside: string;
}

/** A site whose only upstream has an alias to www.corp.example for every name, and an address for that. */
async function aliasing(): Promise<Aliasing> {
  const whole = await upstream({
    udp: (query, send) => {
      const name = decoded(query).questions?.[0]?.name ?? ".";
      const alias = { type: "CNAME", name, ttl: 60, data: "www.corp.example" } as const;
      send(respond(query, { answers: [alias, { type: "A", name: alias.data, ttl: 60, data: "203.0.113.9" }] }));
    },
  });
  const outside = `  routes: [{ zone: ".", upstreams: ["127.88.0.2:${whole.port}"] }]\n`;
  const file = write(outside);
  return { ...(await serving(file)), whole, file, outside };
}

describe("reload without loss: what a reload puts in place", () => {
  test("empties the cache of the changed route and of no other", async () => {
    const [root, corp, other] = [
      await answering("192.0.2.1"),
      await answering("192.0.2.2"),
      await answering("192.0.2.3"),
    ];
    const { adopt, ask } = await serving(write(routes(root, corp)));
    expect(dataOf(await ask("www.example"))).toEqual(["192.0.2.1"]);
    expect(dataOf(await ask("www.corp.example"))).toEqual(["192.0.2.2"]);
    write(routes(root, other));
    await adopt();
    expect(dataOf(await ask("www.corp.example"))).toEqual(["192.0.2.3"]);
    expect(dataOf(await ask("www.example"))).toEqual(["192.0.2.1"]);
    expect([root.queries.length, corp.queries.length, other.queries.length]).toEqual([1, 1, 1]);
    write(routes(root, corp)); // the old route again is a new one: it may have been changed for cause
    await adopt();
    expect(dataOf(await ask("www.corp.example"))).toEqual(["192.0.2.2"]);
    expect(corp.queries.length).toBe(2);
  });

  test("empties the cache of a route whose answers led by an alias into the changed one", async () => {
    const aliased = await upstream({
      udp: (query, send) => {
        const { questions = [] } = decoded(query);
        const name = questions[0]?.name ?? ".";
        send(respond(query, { answers: [{ type: "CNAME", name, ttl: 60, data: "www.corp.example" }] }));
      },
    });
    const [corp, other] = [await answering("192.0.2.2"), await answering("192.0.2.3")];
    const { adopt, ask } = await serving(write(routes(aliased, corp)));
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
    await adopt(); // nothing is different
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
    expect(aliased.queries.length).toBe(1);
    write(routes(aliased, other));
    await adopt();
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.3"]);
    expect(aliased.queries.length).toBe(2);
  });

  test("empties the cache of a route whose answers hold an alias when a zone comes that it may lead to", async () => {
    const { adopt, ask, whole } = await aliasing();
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
    write(routes(whole, await answering("192.0.2.2")));
    await adopt();
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
  });

  describe("drops aliases into what local data has got since:", () => {
    test.each([
      ["a name of a hosts file", "hosts", "192.0.2.2 www.corp.example\n"],
      ["a zone file", "zones", `${CORP}www A 192.0.2.2\n`],
    ])("%s", async (_, kind, text) => {
      const { adopt, ask, outside } = await aliasing();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
      writeFileSync(join(folder, "local"), text);
      write(`${outside}  local: { ${kind}: [local] }\n`);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
    });

    test("a name in a zone that is there already, and in a hosts file that is", async () => {
      const { adopt, ask, outside } = await aliasing();
      writeFileSync(join(folder, "zone"), CORP);
      writeFileSync(join(folder, "hosts"), "192.0.2.9 other.test\n");
      write(`${outside}  local: { hosts: [hosts], zones: [zone] }\n`);
      await adopt();
      expect(decoded(await ask("www.example"))).toMatchObject({ rcode: "NXDOMAIN", answers: [{ type: "CNAME" }] });
      writeFileSync(join(folder, "zone"), `${CORP}www A 192.0.2.2\n`);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
      write(outside);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
      writeFileSync(join(folder, "hosts"), "192.0.2.9 other.test www.corp.example\n");
      write(`${outside}  local: { hosts: [hosts] }\n`);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.9"]);
    });

    test("of an answer that a former process left too", async () => {
      const { file, outside, whole } = await aliasing();
      const former = await serving(file);
      await former.ask("www.example");
      former.saved.save(former.now());
      const asked = whole.queries.length;
      const { adopt, ask } = await serving(file);
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
      expect(whole.queries.length).toBe(asked);
      writeFileSync(join(folder, "hosts"), "192.0.2.2 www.corp.example\n");
      write(`${outside}  local: { hosts: [hosts] }\n`);
      await adopt();
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.2"]);
    });

    test("and keeps them where local data only says something else of the names that it had", async () => {
      const { adopt, ask, outside, whole } = await aliasing();
      writeFileSync(join(folder, "hosts"), "10.0.0.1 a.test\n10.0.0.2 b.test\n");
      writeFileSync(join(folder, "zone"), "$ORIGIN lab.test.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n");
      write(`${outside}  local: { hosts: [hosts], zones: [zone] }\n`);
      await adopt();
      await ask("www.example");
      writeFileSync(join(folder, "hosts"), "10.0.0.2 a.test x.lab.test\n# b.test has gone\n");
      await adopt();
      expect(dataOf(await ask("a.test"))).toEqual(["10.0.0.2"]);
      expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "203.0.113.9"]);
      expect(whole.queries.length).toBe(1);
    });
  });

  test("keeps nothing of an answer whose alias was being followed into the changed route", async () => {
    const aliased = await upstream({
      udp: (query, send) => {
        const name = decoded(query).questions?.[0]?.name ?? ".";
        send(respond(query, { answers: [{ type: "CNAME", name, ttl: 60, data: "www.corp.example" }] }));
      },
    });
    const held: (() => void)[] = [];
    const slow = await upstream({
      udp: (query, send) => held.push(() => send(respond(query, { answers: [addressOf(query, "192.0.2.9")] }))),
    });
    const { adopt, ask } = await serving(write(routes(aliased, slow)));
    const waiting = ask("www.example");
    await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 20_000 });
    write(routes(aliased, await answering("192.0.2.3")));
    await adopt();
    for (const send of held.splice(0)) send();
    expect(dataOf(await waiting)).toEqual(["www.corp.example", "192.0.2.9"]);
    expect(dataOf(await ask("www.example"))).toEqual(["www.corp.example", "192.0.2.3"]);
  });

  test("answers who waited for an upstream that is gone, and keeps nothing of what it said", async () => {
    const held: (() => void)[] = [];
    const slow = await upstream({
      udp: (query, send) => held.push(() => send(respond(query, { answers: [addressOf(query, "192.0.2.9")] }))),
    });
    const fast = await answering("192.0.2.1");
    const { adopt, ask } = await serving(write(routes(slow, slow)));
    const waiting = ask("www.example");
    await vi.waitFor(() => expect(held).toHaveLength(1));
    write(routes(fast, slow));
    await adopt();
    const after = ask("www.example");
    expect(dataOf(await after)).toEqual(["192.0.2.1"]);
    for (const send of held.splice(0)) send();
    expect(dataOf(await waiting)).toEqual(["192.0.2.9"]);
    expect(dataOf(await ask("www.example"))).toEqual(["192.0.2.1"]);
    expect(fast.queries.length).toBe(1);
  });

  test("serves new local data, and no answer from before", async () => {
    writeFileSync(join(folder, "hosts"), "192.0.2.1 one.example\n");
    const { adopt, ask } = await serving(write("  local: { hosts: [hosts] }\n"));
    expect(dataOf(await ask("one.example"))).toEqual(["192.0.2.1"]);
    writeFileSync(join(folder, "hosts"), "192.0.2.2 one.example\n192.0.2.3 two.example\n");
    await adopt();
    expect(dataOf(await ask("one.example"))).toEqual(["192.0.2.2"]);
    expect(dataOf(await ask("two.example"))).toEqual(["192.0.2.3"]);
    writeFileSync(join(folder, "hosts"), "192.0.2.3 two.example\n");
    await adopt();
    expect(decoded(await ask("one.example")).rcode).toBe("REFUSED");
    expect(dataOf(await ask("localhost"))).toEqual(["127.0.0.1"]);
  });

  test("takes a new allow list and a new budget", async () => {
    const { adopt, ask, resolver } = await serving(write(""));
    expect(decoded(await ask("localhost")).rcode).toBe("NOERROR");
    write("  limit: { perNetwork: 1, slip: 1, exempt: [] }\n  allow: [10.0.0.0/8]\n");
    await adopt();
    const replies: boolean[] = [];
    for (let i = 0; i < 40; i += 1) replies.push(decoded(await ask("localhost")).flag_tc);
    expect(replies.filter((limited) => limited).length).toBeGreaterThan(0);
    const admits = (...address: number[]): boolean =>
      resolver.admits(Uint8Array.from([4, 0, 0, 53, ...address, ...new Uint8Array(16)]));
    expect([admits(10, 1, 2, 3), admits(192, 168, 0, 1)]).toEqual([true, false]);
  });
});
