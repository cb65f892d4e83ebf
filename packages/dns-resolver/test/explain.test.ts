import { readFileSync } from "node:fs";
import { SystemClock } from "@stitch/clock";
import { describe, expect, test } from "vitest";
import { VERSION } from "../src/chaos.ts";
import { Explainer } from "../src/explain.ts";
import { REASONS } from "../src/reasons.ts";
import { respond } from "./fake-upstream.ts";
import { bench, client, dataOf, decoded, queryFor } from "./fixtures.ts";
import { rig, upstream, type Rig } from "./rig.ts";

const TXT = { type: "TXT", edns: {} } as const;

/** With the explainer that a worker has. */
function explained(site: Rig): Rig {
  const { resolver, server } = site;
  const explainer = new Explainer({
    resolver,
    forwarder: server.forwarder,
    clock: new SystemClock(),
    self: "nyc/nyc-1",
  });
  resolver.explain = (query) => explainer.lines(query);
  return site;
}

describe("explain by query", () => {
  test("says route, upstreams and the age of what is in the cache", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const { ask, count } = explained(await rig([fake]));
    await ask(queryFor("www.example"));
    const [self, route, up, a, aaaa] = dataOf(await ask(queryFor("_explain.wWw.example", TXT)));
    expect(self).toBe("nyc/nyc-1");
    expect(route).toBe("www.example. belongs to route ., 0 questions on their way");
    expect(up).toBe(`upstream 127.88.0.2:${fake.port} is up`);
    expect(a).toMatch(/^A: in the cache for \d+(s|ms), \d+(s|m|ms)?.* left$/);
    expect(aaaa).toBe("AAAA: not in the cache");
    expect(count("explained")).toBe(1);
    expect(fake.queries.length).toBe(1);
  });

  test("says which upstream failed last, how, and that the question rests", async () => {
    const dead = await upstream({ udp: (query, send) => send(respond(query, { flags: 0x82, answers: [] })) });
    const { ask } = explained(await rig([dead]));
    await ask(queryFor("www.example"));
    const lines = dataOf(await ask(queryFor("_explain.www.example", TXT)));
    expect(lines[2]).toMatch(/is up, \d.* ago it answered SERVFAIL$/);
    expect(lines[3]).toMatch(/^A: not in the cache; not asked again yet: 127\.88\.0\.2 answered SERVFAIL$/);
  });

  test("says that an upstream is left out for a loop, and that one is asked without EDNS", async () => {
    const old = await upstream({
      udp: (query, send) =>
        send(query.readUInt16BE(10) > 0 ? respond(query, { flags: 0x81, answers: [] }) : respond(query)),
    });
    const { ask, server } = explained(await rig([old, { address: "127.88.0.2", port: 9 }]));
    const looping = server.forwarder.routeAt(0)?.upstreams[1];
    if (looping !== undefined) looping.looping = true;
    for (const name of ["www.example", "mail.example"]) await ask(queryFor(name));
    const lines = dataOf(await ask(queryFor("_explain.www.example", TXT)));
    expect(lines[2]).toBe(`upstream 127.88.0.2:${old.port} is up, asked without EDNS`);
    expect(lines[3]).toBe("upstream 127.88.0.2:9 is out, because it forwards to us what we ask it (a loop)");
  });

  test("says that local data answers, or nobody", async () => {
    const { ask } = explained(await rig([{ address: "127.88.0.2", port: 9 }]));
    const lines = dataOf(await ask(queryFor("_explain.x.localhost", TXT)));
    expect(lines[1]).toBe("x.localhost. is answered by local data, localhost.");
    const aaaa = decoded(await ask(queryFor("_explain.localhost", { type: "AAAA" })));
    expect([aaaa.rcode, aaaa.answers?.length]).toEqual(["NOERROR", 0]);
  });

  test("is for admin networks alone, and others hear nothing but REFUSED", () => {
    const site = bench([], ["."], { allow: [{ family: "ipv4", address: "10.0.0.0", length: 8 }] });
    site.resolver.explain = () => ["a secret"];
    const stranger = site.ask(queryFor("_explain.www.example", TXT), { peer: client(10, 0, 0, 1) });
    expect(stranger && decoded(stranger).rcode).toBe("REFUSED");
    expect(REASONS[site.resolver.reason]).toBe("explain-refused");
    expect(Buffer.from(stranger ?? []).toString("latin1")).not.toContain("secret");
    expect(dataOf(site.ask(queryFor("_explain.www.example", TXT)) ?? new Uint8Array())).toEqual(["a secret"]);
  });
});

function asked(name: string, peer = client(10, 0, 0, 1)): string {
  const site = bench([], [], { allow: [{ family: "ipv4", address: "10.0.0.0", length: 8 }] });
  const reply = decoded(site.ask(queryFor(name, { type: "TXT", class: "CH" }), { peer }) ?? new Uint8Array());
  return dataOf(site.out.slice(0, site.resolver.length)).join("") || reply.rcode;
}

describe("CHAOS names", () => {
  test.each(["id.server", "hostname.bind", "HOSTNAME.bind"])("%s is who answers, for every client", (name) =>
    expect(asked(name)).toBe("nyc/nyc-1"),
  );

  test.each(["version.bind", "version.server"])("%s is for admin networks alone", (name) => {
    expect(asked(name)).toBe("REFUSED");
    expect(asked(name, client(127, 0, 0, 1))).toBe(`stitch ${VERSION}`);
  });

  test("others are refused, and the version is that of the package", () => {
    expect(asked("authors.bind", client(127, 0, 0, 1))).toBe("REFUSED");
    const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
    expect(VERSION).toBe((JSON.parse(manifest) as { version: string }).version);
  });
});
