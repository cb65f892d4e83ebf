import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds, type Duration } from "@stitch/clock";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigError, duration, hostPort, section, SiteDocument } from "../src/index.ts";

const DEMO = section({
  listen: z.array(hostPort()).min(1),
  workers: z.number().int().min(1).max(64).default(1),
  interval: duration({ min: seconds(1) }).default(seconds(9) as Duration),
  name: z.string().optional(),
  clock: z.enum(["auto", "local"]).default("auto"),
  cache: section({ maxTtl: duration() }).optional(),
  sinks: z
    .array(
      z.discriminatedUnion("type", [
        section({ type: z.literal("jetstream"), stream: z.string() }),
        section({ type: z.literal("syslog"), url: z.string() }),
      ]),
    )
    .default([]),
  either: z.union([z.literal("auto"), z.number()]).optional(),
});

function errorOf(act: () => unknown): string {
  try {
    act();
  } catch (failure) {
    if (failure instanceof ConfigError) return failure.message;
    throw failure;
  }
  return "no error";
}

function dnsError(body: string): string {
  return errorOf(() => SiteDocument.parse(`site: nyc\ndns:\n${body}`, "site.yaml").section("dns", DEMO));
}

const LISTEN = '  listen: ["127.0.0.1:53"]\n';
const NAME_RULE = "a name of letters, digits, dots, dashes, at most 63 characters";
const TOP = "known here: site, instance, dns, syslog, ntp, announcer, console";
const PORT = "an address and port such as 10.0.0.1:8053 or [fd00::1]:8053 (no names: DNS may be what is down)";

describe("a good file", () => {
  const document = SiteDocument.parse(
    `site: nyc\ninstance: nyc-1\ndns:\n${LISTEN}  cache: { maxTtl: 1d }\n`,
    "site.yaml",
  );

  test("gives names, sections and defaults", () => {
    expect(document).toMatchObject({ file: "site.yaml", site: "nyc", instance: "nyc-1" });
    expect(document.has("dns")).toBe(true);
    expect(document.has("ntp")).toBe(false);
    expect(document.section("dns", DEMO)).toEqual({
      listen: [{ address: "127.0.0.1", port: 53 }],
      workers: 1,
      interval: 9_000,
      clock: "auto",
      cache: { maxTtl: 86_400_000 },
      sinks: [],
    });
  });

  test("is frozen all the way down", () => {
    const dns = document.section("dns", DEMO);
    expect(Object.isFrozen(dns)).toBe(true);
    expect(Object.isFrozen(dns.listen)).toBe(true);
    expect(Object.isFrozen(dns.listen[0])).toBe(true);
    expect(() => Object.assign(dns.cache ?? {}, { maxTtl: 1 })).toThrow(TypeError);
  });

  test("an anchor may be used a few times, and byte arrays in a section do not break freezing", () => {
    const text = `site: nyc\ndns:\n  listen: [&a "127.0.0.1:53", *a]\n`;
    const schema = section({ listen: z.array(hostPort()), secret: z.custom<Uint8Array>().default(new Uint8Array(2)) });
    const dns = SiteDocument.parse(text, "site.yaml").section("dns", schema);
    expect(dns.listen[1]).toEqual({ address: "127.0.0.1", port: 53 });
  });

  test("without an instance the machine's name is taken, made fit for labels", () => {
    expect(SiteDocument.parse("site: nyc", "site.yaml").instance).toMatch(/^[a-z0-9][a-z0-9._-]{0,62}$/i);
  });
});

describe("error texts of a whole file", () => {
  test.each<[string, string, string]>([
    ["an empty file", "", 'site.yaml:1: is empty or not a map; begin with "site: NAME"'],
    ["a list", "- a\n", 'site.yaml:1: is empty or not a map; begin with "site: NAME"'],
    ["no site", "dns: {}\n", `site.yaml: site: is missing: ${NAME_RULE}`],
    [
      "a number as a name",
      "site: 12\n",
      `site.yaml:1: site: 12 is not usable: ${NAME_RULE}; a name that looks like a number needs quotes`,
    ],
    ["a name with blanks", 'site: "new york"\n', `site.yaml:1: site: "new york" is not usable: ${NAME_RULE}`],
    ["an empty instance", "site: nyc\ninstance:\n", `site.yaml:2: instance: null is not usable: ${NAME_RULE}`],
    ["a slip", "site: nyc\ndnss: {}\n", 'site.yaml:2: unknown setting "dnss"; did you mean "dns"?'],
    ["a stranger", "site: nyc\nkubernetes: {}\n", `site.yaml:2: unknown setting "kubernetes"; ${TOP}`],
    ["a prototype key", "site: nyc\n__proto__: {}\n", `site.yaml:2: unknown setting "__proto__"; ${TOP}`],
    ["a merge key", "site: nyc\n<<: { dns: {} }\n", `site.yaml:2: unknown setting "<<"; ${TOP}`],
    [
      "a key twice",
      "site: nyc\ndns: {}\nsite: lon\n",
      'site.yaml:3: not valid YAML: the key "site" appears twice in this map',
    ],
    ["a tab", "site: nyc\ndns:\n\tworkers: 1\n", "site.yaml:3: not valid YAML: a tab sets this line in; use spaces"],
    [
      "two documents",
      "site: nyc\n---\nsite: lon\n",
      'site.yaml:2: not valid YAML: a second document begins here ("---"); a site is one',
    ],
    ["an unknown tag", "site: nyc\ndns: !include other\n", "site.yaml:2: not valid YAML: Unresolved tag: !include"],
    [
      "an alias to nothing",
      "site: *nyc\n",
      "site.yaml: not valid YAML: Unresolved alias (the anchor must be set before the alias): nyc",
    ],
    [
      "map in a map on one line",
      "site: a: b\n",
      'site.yaml:1: not valid YAML: two settings in one line; text that holds ": " needs quotes',
    ],
    [
      "a colon that is missing, whose line is the only one that is wrong",
      'site: nyc\ndns\n  listen: ["127.0.0.1:53"]\nsyslog:\n  workers: 1\n',
      'site.yaml:2: not valid YAML: there is no ": " in or behind "dns"',
    ],
    [
      "a space that is missing behind a colon",
      "site: nyc\ninstance:nyc-1\ndns: {}\n",
      'site.yaml:2: not valid YAML: there is no ": " in or behind "instance:nyc-1"',
    ],
    [
      "the last line without its colon",
      "site: nyc\ndns\n",
      'site.yaml:2: not valid YAML: there is no ": " in or behind "dns"',
    ],
    [
      "two keys twice",
      "site: nyc\ndns: {}\nsite: lon\ndns: {}\n",
      'site.yaml:3: not valid YAML: the key "site" appears twice in this map\n' +
        'site.yaml:4: not valid YAML: the key "dns" appears twice in this map',
    ],
  ])("%s", (_what, text, expected) => {
    expect(errorOf(() => SiteDocument.parse(text, "site.yaml"))).toBe(expected);
  });

  test("all problems are listed, not only the first", () => {
    expect(errorOf(() => SiteDocument.parse('site: "?"\nntpp: {}\n', "s.yaml"))).toBe(
      `s.yaml:2: unknown setting "ntpp"; did you mean "ntp"?\ns.yaml:1: site: "?" is not usable: ${NAME_RULE}`,
    );
  });
});

describe("error texts of a section", () => {
  test.each<[string, string, string]>([
    ["a slip", `${LISTEN}  worker: 2\n`, 'site.yaml:4: dns: unknown setting "worker"; did you mean "workers"?'],
    [
      "two unknown keys, each with its line",
      `${LISTEN}  worker: 2\n  zzzzzzzz: 1\n`,
      'site.yaml:4: dns: unknown setting "worker"; did you mean "workers"?\n' +
        'site.yaml:5: dns: unknown setting "zzzzzzzz"; known here: listen, workers, interval, name, clock, cache, sinks, either',
    ],
    [
      "a prototype key",
      `${LISTEN}  cache: { maxTtl: 1s, __proto__: 1 }\n`,
      'site.yaml:4: dns.cache: unknown setting "__proto__"; known here: maxTtl',
    ],
    ["a missing setting", "  workers: 1\n", "site.yaml:2: dns.listen: is missing: expected a list"],
    [
      "an element of a list",
      '  listen: ["127.0.0.1:53", "resolver:53"]\n',
      `site.yaml:3: dns.listen[1]: "resolver:53" is not ${PORT}`,
    ],
    ["a map where a list belongs", "  listen: { a: 1 }\n", 'site.yaml:3: dns.listen: {"a":1}: expected a list'],
    [
      "a list where a map belongs",
      `${LISTEN}  cache:\n    - a\n`,
      'site.yaml:4: dns.cache: ["a"]: expected a map of settings',
    ],
    ["an empty list", "  listen: []\n", "site.yaml:3: dns.listen: []: expected one entry at least"],
    ["nothing where a list belongs", "  listen:\n", "site.yaml:3: dns.listen: null: expected a list"],
    ["text where a number belongs", `${LISTEN}  workers: two\n`, 'site.yaml:4: dns.workers: "two": expected number'],
    ["a number where text belongs", `${LISTEN}  name: 5\n`, "site.yaml:4: dns.name: 5: expected string"],
    ["a fraction", `${LISTEN}  workers: 1.5\n`, "site.yaml:4: dns.workers: 1.5: expected int"],
    ["too many", `${LISTEN}  workers: 65\n`, "site.yaml:4: dns.workers: 65: expected number to be <=64"],
    ["not a number", `${LISTEN}  workers: .nan\n`, "site.yaml:4: dns.workers: NaN: expected number"],
    ["a choice", `${LISTEN}  clock: sundial\n`, 'site.yaml:4: dns.clock: "sundial": expected one of "auto"|"local"'],
    [
      "a number for a duration",
      `${LISTEN}  interval: 5\n`,
      "site.yaml:4: dns.interval: 5 is not a duration such as 300ms, 9s, 15m, 24h or 1d, at least 1s",
    ],
    [
      "an unknown kind of sink",
      `${LISTEN}  sinks:\n    - { type: kafka }\n`,
      "site.yaml:5: dns.sinks[0].type: \"kafka\": expected 'jetstream' | 'syslog'",
    ],
    [
      "a sink's own setting",
      `${LISTEN}  sinks:\n    - type: syslog\n      uri: x\n      url: y\n`,
      'site.yaml:6: dns.sinks[0]: unknown setting "uri"; did you mean "url"?',
    ],
    [
      "neither of two forms",
      `${LISTEN}  either: maybe\n`,
      'site.yaml:4: dns.either: "maybe": expected "auto" or number',
    ],
  ])("%s", (_what, body, expected) => {
    expect(dnsError(body)).toBe(expected);
  });

  test("a section that is absent or empty says which", () => {
    const document = SiteDocument.parse("site: nyc\nntp:\n", "site.yaml");
    expect(errorOf(() => document.section("dns", DEMO))).toBe("site.yaml: dns: this section is missing");
    expect(errorOf(() => document.section("ntp", DEMO))).toBe("site.yaml:2: ntp: this section is empty");
  });

  test("a section that is a list or a word is refused as such", () => {
    expect(errorOf(() => SiteDocument.parse("site: nyc\ndns: []\n", "site.yaml").section("dns", DEMO))).toBe(
      "site.yaml:2: dns: []: expected a map of settings",
    );
  });

  test("a long value is cut", () => {
    expect(dnsError(`${LISTEN}  workers: ${"x".repeat(5_000)}\n`).length).toBeLessThan(200);
  });

  test("problemAt names path and line for checks across settings", () => {
    const document = SiteDocument.parse(`site: nyc\ndns:\n${LISTEN}  cache:\n    maxTtl: 1d\n`, "site.yaml");
    expect(document.problemAt(["dns", "cache", "maxTtl"], "no")).toEqual({
      path: "dns.cache.maxTtl",
      line: 5,
      message: "no",
    });
    expect(document.problemAt(["dns", "listen", 0], "no").line).toBe(3);
    expect(document.problemAt(["dns", "cache", "absent"], "no").line).toBe(4);
    expect(document.problemAt(["ntp"], "no").line).toBeUndefined();
  });
});

describe("files made to hurt", () => {
  test("nested aliases are refused instead of expanded", () => {
    const levels = "bcdefghi".split("").map((name, i) => {
      const previous = "abcdefgh"[i];
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${previous}`).join(", ")}]`;
    });
    const text = `site: nyc\na: &a [x, x, x]\n${levels.join("\n")}\n`;
    expect(errorOf(() => SiteDocument.parse(text, "site.yaml"))).toBe(
      "site.yaml: not valid YAML: more than 100 uses of aliases",
    );
  });

  test("a value that contains itself gives an error text", () => {
    expect(dnsError("  listen: &x [*x]\n")).toContain("is not an address and port");
  });

  test("deep nesting is an error, not a crash", () => {
    expect(errorOf(() => SiteDocument.parse(`site: ${"[".repeat(100_000)}`, "site.yaml"))).toContain("not valid YAML");
  });

  test("any text gives a document or a ConfigError", () => {
    const yamlish = fc.stringMatching(/^[a-c:\-?&*!{}[\]#|>%"' \n\t,<~0-9]{0,60}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), yamlish), (text) => {
        let failure: unknown;
        try {
          SiteDocument.parse(`site: nyc\n${text}`, "site.yaml").section("dns", DEMO);
        } catch (thrown) {
          failure = thrown;
        }
        expect(failure).toBeInstanceOf(ConfigError);
      }),
      { numRuns: 500 },
    );
  });
});

describe("loading", () => {
  const folder = mkdtempSync(join(tmpdir(), "stitch-config-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  function file(name: string, bytes: string | Uint8Array): string {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  }

  test("a file with a byte order mark is read", () => {
    expect(SiteDocument.load(file("bom.yaml", "\uFEFFsite: nyc\n")).site).toBe("nyc");
  });

  test.each<[string, () => string, string]>([
    ["no file", () => join(folder, "none.yaml"), "no such file; name another with -c FILE"],
    ["a folder", () => folder, "is a folder, not a file; name another with -c FILE"],
    ["too large", () => file("large.yaml", "#".repeat((1 << 20) + 1)), "is larger than 1 MiB; is this the right file?"],
    ["not UTF-8", () => file("latin.yaml", Uint8Array.of(0x73, 0xe9)), "is not UTF-8 text; is this the right file?"],
  ])("%s", (_what, path, text) => {
    const name = path();
    expect(errorOf(() => SiteDocument.load(name))).toBe(`${name}: ${text}`);
  });

  // Windows has no such device.
  test.skipIf(process.platform === "win32")("a device without end is read no further than the limit", () => {
    expect(errorOf(() => SiteDocument.load("/dev/zero"))).toBe(
      "/dev/zero: is larger than 1 MiB; is this the right file?",
    );
  });
});
