import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { SiteDocument } from "@stitch/config";
import { dnsConfig } from "../src/config.ts";
import { HostsTable } from "../src/local/hosts-file.ts";
import { loadLocal } from "../src/local/load-local.ts";
import { parseZone } from "../src/local/zone-file.ts";
import { RouteTable } from "../src/routes.ts";
import { parseName } from "../src/wire/name.ts";
import { bench, dataOf, decoded, queryFor, view, zoneFrom } from "./fixtures.ts";

const HEAD = "$ORIGIN corp.example.\n$TTL 1h\n@ SOA ns root ( 1 2h ; refresh\n 10m 1w 30 )\n";

describe("a zone file", () => {
  test("has relative names, blanks for the owner before, parentheses, quotes, comments, units", () => {
    const zone = zoneFrom(`${HEAD}
@ 300 IN NS ns ; the server
   IN 5m MX 10 mail.corp.example.
ns A 192.0.2.1
   AAAA 2001:db8::1
txt TXT "a; b" ( "second \\"string\\""
  third )
_ldap._tcp SRV 0 5 389 ns
$ORIGIN sub.corp.example.
www CNAME ns.corp.example.
`);
    const { ask } = bench([zone]);
    const data = (name: string, type: string): string[] => {
      const reply = ask(queryFor(name, { type }), { tcp: true });
      return reply === undefined ? [] : dataOf(reply);
    };
    expect(data("txt.corp.example", "TXT")).toEqual(['a; b,second "string",third']);
    expect(data("ns.corp.example", "AAAA")).toEqual(["2001:db8::1"]);
    expect(data("www.sub.corp.example", "A")).toEqual(["ns.corp.example", "192.0.2.1"]);
    expect(data("_ldap._tcp.corp.example", "SRV").length).toBe(1);
    expect(data("corp.example", "MX").length).toBe(1);
  });

  test.each([
    ["www A 192.0.2.256", 5, "A needs one IPv4 address"],
    ["www A", 5, "A needs one IPv4 address"],
    ["www LOC 1 2 3", 5, '"LOC" is not a type that is served here'],
    ["\n\nother.example. A 192.0.2.1", 7, "other.example. is not in the zone corp.example."],
    ["www CNAME a\nwww A 192.0.2.1", 5, "has a CNAME and other records"],
    ["$INCLUDE other", 5, "$INCLUDE is not supported"],
    ["www TXT (", 5, "an opening parenthesis is never closed"],
    ["www A 192.0.2.1 )", 5, "a closing parenthesis without an opening one"],
    ['www TXT "open', 5, "is a quote not closed?"],
    ["@ SOA ns root 1 2 3 4 5", 5, "a second SOA record"],
    [`${"a".repeat(64)} A 192.0.2.1`, 5, "is not a name"],
    ["caf\u00e9 A 192.0.2.1", 5, "is not a name"],
    ["sub NS ns.sub", 5, "delegations are not followed"],
  ])("with %j is refused at line %i", (text, line, message) => {
    const { zone, problems } = parseZone(HEAD + text);
    expect(zone).toBeUndefined();
    expect(problems[0]).toMatchObject({ line });
    expect(problems[0]?.message).toContain(message);
  });

  test("with more records of one name and type than an answer can hold is refused", () => {
    const many = Array.from({ length: 3_760 }, (_, i) => `many A 10.0.${i >> 8}.${i & 255}`);
    const { problems } = parseZone(`${HEAD}${many.join("\n")}\n`);
    expect(problems[0]?.message).toContain("than an answer can hold");
    expect(problems[0]?.line).toBe(5 + 60_000 / 16);
    const hosts = new HostsTable().read(many.map((line) => `${line.slice(7)} many`).join("\n"));
    expect(hosts[0]?.message).toContain("than an answer can hold");
  });

  test("of another kind is refused after twenty lines, whatever else it holds", () => {
    const { problems } = parseZone('x\n" "\n)\n'.repeat(100_000));
    expect(problems).toHaveLength(20);
    expect(problems.at(-1)?.line).toBeLessThan(40);
  });

  test("that begins with a blank has no owner to go on with", () => {
    const { problems } = parseZone(`  A 192.0.2.1\n${HEAD}`);
    expect(problems).toMatchObject([{ line: 1, message: expect.stringContaining("no name before it") as string }]);
  });

  test("has wildcards for names that are not there, below the nearest name that is (RFC 4592)", () => {
    const { ask } = bench([
      zoneFrom(`${HEAD}\n* MX 10 mail\n*.apps A 192.0.2.8\nreal.apps TXT x\na.ent.apps A 192.0.2.9\n`),
    ]);
    const told = (name: string, type = "A"): unknown[] => {
      const reply = ask(queryFor(name, { type }), { tcp: true });
      const { rcode, answers = [] } = decoded(reply ?? new Uint8Array());
      return [rcode, ...answers.map((record) => record.name)];
    };
    expect(told("x.y.Apps.corp.example")).toEqual(["NOERROR", "x.y.Apps.corp.example"]);
    expect(told("x.apps.corp.example", "TXT")).toEqual(["NOERROR"]);
    expect(told("real.apps.corp.example")).toEqual(["NOERROR"]);
    expect(told("ent.apps.corp.example")).toEqual(["NOERROR"]);
    expect(told("b.ent.apps.corp.example")).toEqual(["NXDOMAIN"]);
    expect(told("x.real.apps.corp.example")).toEqual(["NXDOMAIN"]);
    expect(told("nope.corp.example")).toEqual(["NOERROR"]);
    expect(told("nope.corp.example", "MX")).toEqual(["NOERROR", "nope.corp.example"]);
  });

  test("with a chain of aliases is followed through eight of them: longer ones are mistakes, and each makes the answer longer", () => {
    const chain = Array.from({ length: 20 }, (_, i) => `a${i} CNAME a${i + 1}`);
    const { ask } = bench([zoneFrom(`${HEAD}${chain.join("\n")}\na20 A 192.0.2.1\n`)]);
    expect(dataOf(ask(queryFor("a0.corp.example")) ?? new Uint8Array())).toHaveLength(8);
    expect(dataOf(ask(queryFor("a13.corp.example")) ?? new Uint8Array()).at(-1)).toBe("192.0.2.1");
  });

  test("for localhost is refused: it is built in, and the self-check asks for it", () => {
    const file = join(mkdtempSync(join(tmpdir(), "stitch-zone-")), "localhost.zone");
    writeFileSync(file, "localhost. 60 SOA ns.localhost. root.localhost. 1 2 3 4 5\nlocalhost. 60 A 192.0.2.1\n");
    expect(() => loadLocal([], [file])).toThrow("localhost. is built in");
    expect(() => loadLocal([dirname(file)], [])).toThrow("is not a file");
    truncateSync(file, 16 * 2 ** 20 + 1);
    expect(() => loadLocal([file], [])).toThrow("is larger than 16 MiB");
    rmSync(dirname(file), { recursive: true });
  });

  test("without SOA, or missing, is refused with the file", () => {
    expect(parseZone("$TTL 1\nwww.example. A 192.0.2.1").problems[0]?.message).toContain("no SOA record");
    expect(() => loadLocal([], ["/nowhere/corp.zone"])).toThrow("/nowhere/corp.zone: no such file");
  });
});

describe("a hosts file", () => {
  test("gives names addresses and addresses names, and leaves what is below a name alone", () => {
    const hosts = new HostsTable();
    expect(hosts.read("# comment\n192.0.2.5 web web.corp.example # x\n\n2001:db8::5 web\n")).toEqual([]);
    const zones = [...hosts.zones.values()];
    const { ask } = bench(zones);
    const data = (name: string, type = "A"): string[] => {
      const reply = ask(queryFor(name, { type }));
      return reply === undefined ? [] : dataOf(reply);
    };
    expect(data("WEB")).toEqual(["192.0.2.5"]);
    expect(data("web", "AAAA")).toEqual(["2001:db8::5"]);
    expect(data("web.corp.example")).toEqual(["192.0.2.5"]);
    expect(data("5.2.0.192.in-addr.arpa", "PTR")).toEqual(["web"]);
  });

  // A blocklist given as a hosts file: each name is a zone of its own, in every worker.
  test("with the others has 100,000 names at most, and the error says where longer lists belong", () => {
    const folder = mkdtempSync(join(tmpdir(), "stitch-hosts-"));
    const files = [60_000, 40_000].map((count, i) => {
      const file = join(folder, `hosts${i}`);
      writeFileSync(file, Array.from({ length: count }, (_, n) => `0.0.0.0 ad${n}.list${i}.example`).join("\n"));
      return file;
    });
    const sentence =
      "with this name the hosts files have more than 100000 names, those of addresses included: a list of such a length belongs in dns.policies, with kind: hosts";
    // The 40,000th name of the second, and the name of 0.0.0.0.
    expect(() => loadLocal(files, [])).toThrow(new RegExp(`^${files[1]}:40000: ${sentence}$`));
    rmSync(folder, { recursive: true });
  });

  test("of another kind is refused after twenty lines, and a line that no hosts file has is not taken apart", () => {
    expect(new HostsTable().read("no address\n".repeat(1_000))).toHaveLength(20);
    const [problem] = new HostsTable().read(`192.0.2.1 ${"a ".repeat(3_000)}`);
    expect(problem?.message).toBe("is longer than 4096 characters");
  });

  test.each([
    ["192.0.2.300 web", 1, '"192.0.2.300" is not an IPv4 or IPv6 address'],
    ["\n192.0.2.1", 2, "has no name behind it"],
    ["192.0.2.1 trailing\\", 1, "is not a host name"],
    ["192.0.2.1 a..b", 1, '"a..b" is not a host name'],
  ])("with %j is refused at line %i", (text, line, message) => {
    const [problem] = new HostsTable().read(text);
    expect(problem).toMatchObject({ line });
    expect(problem?.message).toContain(message);
  });
});

test("a hosts file does not move localhost, whose address is built in", () => {
  const hosts = new HostsTable();
  expect(hosts.read("::1 localhost ip6-localhost\n192.0.2.1 LOCALHOST. other\n")).toEqual([]);
  expect([...hosts.zones.values()].map(({ apex }) => apex.length)).not.toContain(11);
  expect(hosts.zones.size).toBe(4);
});

test("a table of 300,000 names is made and searched", () => {
  const names = Array.from({ length: 300_000 }, (_, i) => parseName(`ad${i}.example`) ?? new Uint8Array());
  const table = RouteTable.of(
    names.map((name, place) => ({ name, place, exact: true })),
    7,
  );
  expect(table.find(view(queryFor("ad299999.example")))).toBe(299_999);
  expect(table.find(view(queryFor("x.ad299999.example")))).toBe(-1);
});

function read(text: string): unknown {
  return dnsConfig(SiteDocument.parse(`site: nyc\ndns:\n${text}`, "site.yaml"));
}

describe("the dns section", () => {
  test("has defaults for everything but listen", () => {
    expect(read('  listen: ["127.0.0.1:5300"]')).toMatchObject({
      workers: 1,
      health: { address: "127.0.0.1", port: 8_153 },
      routes: [],
      local: { hosts: [], zones: [] },
      cache: { size: 64 * 2 ** 20, maxTtl: 86_400_000, negativeTtl: 900_000, stale: 86_400_000 },
    });
  });

  const LISTEN = '  listen: ["127.0.0.1:5300"]\n';
  test.each([
    [`${LISTEN}  routs: []`, 'unknown setting "routs"; did you mean "routes"?'],
    [`${LISTEN}  workers: 0`, "dns.workers: 0 is not a number of workers from 1 to 64"],
    [`${LISTEN}  routes: [ { zone: a..b, upstreams: ["127.0.0.2"] } ]`, '"a..b" is not a zone'],
    [`${LISTEN}  routes: [ { zone: ".", upstreams: ["127.0.0.1:5300"] } ]`, "is this resolver itself"],
    [
      `${LISTEN}  warmFrom: { siblings: ["10.2.0.10:8153"] }`,
      "is missing: siblings answer only those who have the same",
    ],
    [`${LISTEN}  warmFrom: { siblings: ["127.0.0.1:8153"], secret: s }`, "127.0.0.1:8153 is this resolver itself"],
    [`${LISTEN}  warmFrom: { siblings: ["0.0.0.0:8153"], secret: s }`, "is every address: name the sibling's"],
    [`${LISTEN}  warmFrom: { siblings: ["10.2.0.10:0"], secret: s }`, "has port 0"],
    [
      `${LISTEN}  routes: [ { zone: a, upstreams: ["127.0.0.2"] }, { zone: A., upstreams: ["127.0.0.3"] } ]`,
      "has a route already, routes[0]",
    ],
    [`${LISTEN}  routes: [ { zone: a, upstreams: ["127.0.0.2"], source: "::1" } ]`, "not of the same family"],
    [
      `${LISTEN}  routes: [ { zone: a, upstreams: ["127.0.0.2"], source: 127.0.0.1 } ]`,
      "name this machine's own address",
    ],
    [`${LISTEN}  routes: [ { zone: "*.a", upstreams: ["127.0.0.2"] } ]`, "a route covers everything below its zone"],
    [`${LISTEN}  routes: [ { zone: "a ", upstreams: ["127.0.0.2"] } ]`, '"a " is not a zone'],
    [`${LISTEN}  routes: [ { zone: a, upstreams: ["127.0.0.2", "127.0.0.2:53"] } ]`, "is listed twice"],
    [`${LISTEN}  routes: [ { zone: a, upstreams: ["0.0.0.0"] } ]`, "is every address"],
    [`${LISTEN}  routes: [ { zone: a, upstreams: ["tls://127.0.0.2"] } ]`, "tls://127.0.0.2:853 could be anybody"],
    [`${LISTEN}  routes: [ { zone: a, upstreams: ["tls://127.0.0.2#a b"] } ]`, "is not an address such as"],
    [`${LISTEN}  routes: [ { zone: a, upstreams: ["127.0.0.2"], tls: { pins: [x] } } ]`, "is not a pin"],
    [`  listen: ["0.0.0.0:53"]`, "is every address: name the VIP"],
    [`${LISTEN}  cache: { size: 4GiB }`, "is more than 3GiB"],
    [`${LISTEN}  cache: { maxTtl: 8d }`, "dns.cache.maxTtl"],
    [`${LISTEN}  cache: { stale: 8d }`, "dns.cache.stale"],
    [`${LISTEN}  cache: { negativeTtl: 4h }`, "dns.cache.negativeTtl"],
    [`${LISTEN}  cookies: { secrets: [a, b, c, d, e] }`, "dns.cookies.secrets"],
    [`${LISTEN}  policies: [${"{ file: a, kind: hosts }, ".repeat(65)}]`, "dns.policies"],
    [`${LISTEN}  workers: 65`, "dns.workers"],
    [
      `${LISTEN}  routes: [ { zone: a, upstreams: ["127.0.0.2"], tls: { pins: [${`${"A".repeat(43)}=, `.repeat(17)}] } } ]`,
      "dns.routes[0].tls.pins",
    ],
    [`${LISTEN}  cache: { size: 1KiB }`, "is less than 1MiB"],
    [`${LISTEN}  workers: 8\n  cache: { size: 7MiB }`, "is less than 1MiB for each of 8 workers"],
  ])("%s", (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});
