import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { ConfigError } from "@stitch/config";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { readPolicies, type Policies, type PolicySettings } from "../src/policy/load-policies.ts";
import { PolicyJudge } from "../src/policy/policy-judge.ts";
import { PolicyBuilder, PolicyRoomError } from "../src/policy/policy-builder.ts";
import { POLICY_ACTION, PolicyTable, SCOPE } from "../src/policy/policy-table.ts";
import { REASONS } from "../src/reasons.ts";
import { atOnce } from "../src/sliced.ts";
import { parseName } from "../src/wire/name.ts";
import { bench, dataOf, decoded, queryFor, view, zoneFrom, type Bench } from "./fixtures.ts";

let folder: string;
let written = 0;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "stitch-policy-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface List {
  readonly kind: PolicySettings["kind"];
  readonly text: string;
  readonly because?: PolicySettings["because"];
}

function read(...lists: readonly List[]): Policies {
  const settings = lists.map(({ kind, text, because = "blocked" }): PolicySettings => {
    written += 1;
    const file = join(folder, `list-${written}`);
    writeFileSync(file, text);
    return { file, kind, because };
  });
  return atOnce(readPolicies(settings, (file) => file, 7));
}

/** A resolver with one route for everything and these lists. */
function behind(...lists: readonly List[]): Bench {
  return bench([], ["."], { judge: PolicyJudge.of(read(...lists)) });
}

/** What becomes of a question: the reason, or "forward" when an upstream would be asked. */
function fate({ ask, resolver }: Bench, name: string, type = "A"): string {
  const reply = ask(queryFor(name, { type }));
  return reply === undefined ? "forward" : (REASONS[resolver.reason] ?? "");
}

const RPZ = "$TTL 300\n@ SOA localhost. root.localhost. 1 2 3 4 5\n  NS localhost.\n";

describe("blocklists: a hosts list", () => {
  const text =
    "# comment\n127.0.0.1 localhost\n::1 ip6-localhost\n0.0.0.0 0.0.0.0\n0.0.0.0 Ads.Example  track.example # two\r\n\n:: six.example\n";

  test.each([
    ["ads.example", "policy-nxdomain"],
    ["ADS.example", "policy-nxdomain"],
    ["track.example", "policy-nxdomain"],
    ["six.example", "policy-nxdomain"],
    ["www.ads.example", "forward"],
    ["example", "forward"],
    ["notads.example", "forward"],
    ["localhost", "local"],
  ])("of %s makes %s", (name, expected) => expect(fate(behind({ kind: "hosts", text }), name)).toBe(expected));
});

describe("a domain list", () => {
  const text = "! title\nads.example\n*.only-below.example\n||adblock.example^\nxn--caf-dma.example.\n_dns.example\n";
  test.each([
    ["ads.example", "policy-nxdomain"],
    ["a.b.ads.example", "policy-nxdomain"],
    ["notads.example", "forward"],
    ["only-below.example", "forward"],
    ["x.only-below.example", "policy-nxdomain"],
    ["x.adblock.example", "policy-nxdomain"],
    ["xn--caf-dma.example", "policy-nxdomain"],
    ["x._dns.example", "policy-nxdomain"],
    ["other.example", "forward"],
  ])("of %s makes %s", (name, expected) => expect(fate(behind({ kind: "domains", text }), name)).toBe(expected));

  test("leaves out a line in a hundred that it cannot read, and says which; with more it is another kind of file", () => {
    const good = Array.from({ length: 200 }, (_, i) => `n${i}.example`);
    const { lists } = read({ kind: "domains", text: [...good, "caf\u00e9.example", "a b"].join("\n") });
    expect(lists[0]).toMatchObject({ names: 200, unread: { lines: 2, first: 201 } });
    expect(() => read({ kind: "domains", text: "0.0.0.0 ads.example\n" })).toThrow(":1: 1 lines such as this");
    expect(() => read({ kind: "hosts", text: "ads.example\n" })).toThrow("are not of a hosts list");
  });
});

test("a line of a list that is longer than any name could make it is not read", () => {
  const good = Array.from({ length: 200 }, (_, i) => `n${i}.example`).join("\n");
  const { lists } = read({ kind: "domains", text: `${good}\n||${"a.".repeat(4_096)}example^` });
  expect(lists[0]).toMatchObject({ names: 200, unread: { lines: 1, first: 201 } });
  const many = read({
    kind: "hosts",
    text: `${good.replaceAll("n", "0.0.0.0 n")}\n0.0.0.0 ${"a.example ".repeat(500)}`,
  });
  expect(many.lists[0]).toMatchObject({ names: 200, unread: { lines: 1, first: 201 } });
});

describe("response policy zones", () => {
  const text = `${RPZ}gone.example CNAME .
*.gone.example 60 IN CNAME .
empty.example CNAME *.
*.corp.example CNAME .
*.good.corp.example CNAME rpz-passthru.
exact.corp.example CNAME rpz-passthru.
old.corp.example CNAME old.corp.example.
garden.example 30 A 192.0.2.1
garden.example A 192.0.2.2
garden.example AAAA 2001:db8::1
`;
  test.each([
    ["gone.example", "A", "policy-nxdomain"],
    ["x.gone.example", "TXT", "policy-nxdomain"],
    ["empty.example", "A", "policy-nodata"],
    ["x.empty.example", "A", "forward"],
    ["corp.example", "A", "forward"],
    ["bad.corp.example", "A", "policy-nxdomain"],
    ["exact.corp.example", "A", "forward"],
    ["old.corp.example", "A", "forward"],
    ["x.good.corp.example", "A", "forward"],
    ["x.exact.corp.example", "A", "forward"],
    ["x.other.corp.example", "A", "policy-nxdomain"],
    ["good.corp.example", "A", "policy-nxdomain"],
    ["garden.example", "A", "policy-address"],
    ["gone.example", "ANY", "policy-nxdomain"],
  ])("of %s %s makes %s", (name, type, expected) =>
    expect(fate(behind({ kind: "rpz", text }), name, type)).toBe(expected),
  );

  test("gives the addresses it has, with their TTL, and NODATA for other types", () => {
    const { ask } = behind({ kind: "rpz", text });
    const a = decoded(ask(queryFor("Garden.example")) ?? new Uint8Array());
    expect(a.answers).toMatchObject([
      { name: "Garden.example", type: "A", ttl: 30, data: "192.0.2.1" },
      { data: "192.0.2.2" },
    ]);
    expect(dataOf(ask(queryFor("garden.example", { type: "AAAA" })) ?? new Uint8Array())).toEqual(["2001:db8::1"]);
    const mx = decoded(ask(queryFor("garden.example", { type: "MX" })) ?? new Uint8Array());
    expect([mx.rcode, mx.answers?.length, mx.authorities?.[0]?.type]).toEqual(["NOERROR", 0, "SOA"]);
  });

  test("may lie anywhere: owners are read without its own name", () => {
    const own =
      "$ORIGIN rpz.corp.test.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\nbad.example CNAME .\n*.worse.example.rpz.corp.test. CNAME *.\n";
    const site = behind({ kind: "rpz", text: own });
    expect(["bad.example", "x.worse.example"].map((name) => fate(site, name))).toEqual([
      "policy-nxdomain",
      "policy-nodata",
    ]);
  });

  test.each([
    ["bad.example CNAME rpz-drop.", "CNAME rpz-drop. is no order of this subset"],
    ["bad.example CNAME other.example.", "is no order of this subset"],
    ["bad.example TXT hello", "TXT is no order of this subset"],
    ["24.0.2.0.192.rpz-ip CNAME .", "triggers by address or server are not supported"],
    ["bad.example A 192.0.2.256", "A needs one address"],
    ["$INCLUDE other", "$INCLUDE other cannot be used here"],
    ['bad.example TXT "open', "is a quote not closed?"],
    ["caf\u00e9.example CNAME .", "is not a name"],
  ])("with %j is refused with its line", (line, message) => {
    expect(() => read({ kind: "rpz", text: `${RPZ}${line}\n` })).toThrow(
      new RegExp(`:4: .*${message.replace(/[$*.?]/g, "\\$&")}`),
    );
  });

  test("with an entry of a million fields, on one line or on many, are refused with its line, and little of it is kept", () => {
    for (const between of [" ", "\n"]) {
      const entry = `x ( ${`1${between}`.repeat(1_000_000)} )`;
      expect(() => read({ kind: "rpz", text: `${RPZ}${entry}\n` })).toThrow("an entry of more than 1024 fields");
    }
    expect(() => read({ kind: "rpz", text: `${RPZ}x 1 1 1 CNAME .\n` })).toThrow("1 is no order of this subset");
  });

  test("of another kind are refused after twenty lines", () => {
    let message = "";
    try {
      read({ kind: "rpz", text: `${RPZ}${"bad.example TXT x\n".repeat(1_000)}` });
    } catch (failure) {
      message = (failure as Error).message;
    }
    expect(message.split("\n")).toHaveLength(20);
  });

  test("with more than eight addresses for a name are refused: an answer over UDP must hold them", () => {
    const lines = Array.from({ length: 9 }, (_, i) => `many.example A 192.0.2.${i}`);
    expect(() => read({ kind: "rpz", text: `${RPZ}${lines.join("\n")}\n` })).toThrow(
      ":12: many.example. has more than 8 addresses",
    );
  });

  test("without a SOA record, or of another kind, is refused", () => {
    expect(() => read({ kind: "rpz", text: "" })).toThrow("no SOA record");
    expect(() => read({ kind: "rpz", text: "bad.example CNAME .\n" })).toThrow("stands before the SOA record");
  });
});

describe("an answer by policy", () => {
  test("has the name's own case, a SOA that may be cached for a minute, and the extended error Blocked", () => {
    const { ask } = behind({ kind: "domains", text: "ads.example\n" });
    const bytes = ask(queryFor("wWw.Ads.example", { edns: {} })) ?? new Uint8Array();
    const reply = decoded(bytes);
    expect(reply.rcode).toBe("NXDOMAIN");
    expect(reply.questions?.[0]?.name).toBe("wWw.Ads.example");
    expect(reply.authorities).toMatchObject([{ name: "Ads.example", type: "SOA", ttl: 60 }]);
    const text = Buffer.from(bytes).toString("latin1");
    expect(text).toContain(
      `\x00\x0f\x00${String.fromCharCode(2 + `policy list-${written}`.length)}\x00\x0fpolicy list-${written}`,
    );
  });

  test("of a list that filters has the extended error Filtered", () => {
    const { ask } = behind({ kind: "domains", text: "ads.example\n", because: "filtered" });
    const bytes = ask(queryFor("ads.example", { edns: {} })) ?? new Uint8Array();
    expect(Buffer.from(bytes).toString("latin1")).toContain(`\x00\x11policy list-${written}`);
  });

  test("names the list in 48 octets at most: the answer has room for it", () => {
    const file = join(folder, "x".repeat(200));
    writeFileSync(file, "ads.example\n");
    const settings = { file, kind: "domains", because: "blocked" } as const;
    const { lists } = atOnce(readPolicies([settings], (path) => path, 1));
    expect(Buffer.from(lists[0]?.extended ?? []).toString("latin1")).toBe(`\0\x0fpolicy ${"x".repeat(41)}`);
  });

  test("that does not fit the client's buffer is cut, and whole over TCP", () => {
    const name = `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(50)}.example`;
    const lines = Array.from({ length: 8 }, (_, i) => `${name} AAAA 2001:db8::${i}`);
    const { ask } = behind({ kind: "rpz", text: `${RPZ}${lines.join("\n")}\n` });
    const question = queryFor(name, { type: "AAAA", edns: { size: 512 } });
    const cut = decoded(ask(question) ?? new Uint8Array());
    expect([cut.flag_tc, cut.answers?.length]).toEqual([true, 0]);
    expect(dataOf(ask(question, { tcp: true }) ?? new Uint8Array())).toHaveLength(8);
  });

  test("is not given for local data, nor without recursion desired", () => {
    const judge = PolicyJudge.of(read({ kind: "domains", text: "corp.example\nads.example\n" }));
    const zone = zoneFrom("$ORIGIN corp.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\nwww A 192.0.2.1\n");
    const site = bench([zone], ["."], { judge });
    expect(fate(site, "www.corp.example")).toBe("local");
    expect(decoded(site.ask(queryFor("ads.example", { flags: 0 })) ?? new Uint8Array()).rcode).toBe("REFUSED");
  });

  test("comes from the first list that has the name, exceptions too", () => {
    const site = behind(
      { kind: "rpz", text: `${RPZ}*.example CNAME rpz-passthru.\nmine.test CNAME *.\n` },
      { kind: "domains", text: "ads.example\nmine.test\nother.test\n" },
    );
    expect(["ads.example", "mine.test", "x.mine.test", "other.test"].map((name) => fate(site, name))).toEqual([
      "forward",
      "policy-nodata",
      "policy-nxdomain",
      "policy-nxdomain",
    ]);
  });
});

test("what is no file, or is larger than a list may be, is refused with its path", () => {
  const settings = { file: folder, kind: "hosts", because: "blocked" } as const;
  expect(() => atOnce(readPolicies([settings], (file) => file, 1))).toThrow(`${folder}: is not a file`);
  const large = join(folder, "large");
  writeFileSync(large, "");
  truncateSync(large, 64 * 2 ** 20 + 1);
  const reading = readPolicies([{ ...settings, file: large }], (file) => file, 1);
  expect(() => atOnce(reading)).toThrow(`${large}: is larger than 64 MiB; is this the right file?`);
  expect(basename(folder)).toContain("stitch-policy-");
});

/** Any other failure is a defect. */
function readOrRefused(list: List): "read" | "refused" {
  try {
    read(list);
    return "read";
  } catch (failure) {
    if (failure instanceof ConfigError) return "refused";
    throw failure;
  }
}

test("whatever a file holds, it is read or refused in words", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "\n",
      " ",
      "\t",
      ".",
      "*.",
      "@",
      "CNAME",
      "A",
      "SOA",
      "$ORIGIN",
      "$TTL",
      "(",
      ")",
      '"',
      ";",
      "#",
      "||",
      "^",
    ),
    fc.constantFrom(
      "example",
      "0.0.0.0",
      "2001:db8::1",
      "rpz-passthru.",
      "rpz-ip",
      "x".repeat(64),
      "1h",
      "IN",
      "\\",
      "\0",
    ),
    fc.string({ unit: "binary", maxLength: 8 }),
  );
  const kinds = fc.constantFrom<List["kind"]>("hosts", "domains", "rpz");
  fc.assert(
    fc.property(kinds, fc.array(piece, { maxLength: 60 }), fc.boolean(), (kind, pieces, withHead) => {
      const text = `${withHead ? RPZ : ""}${pieces.join(" ")}`;
      expect(["read", "refused"]).toContain(readOrRefused({ kind, text }));
    }),
    { numRuns: 400 },
  );
});

test("the table finds what a plain reading of its entries finds", () => {
  const random = lcg(11);
  const label = (): string => ["a", "b", "c", "d"][random() % 4] ?? "";
  const nameOf = (): string => Array.from({ length: 1 + (random() % 4) }, label).join(".");
  const builder = new PolicyBuilder();
  const entries = Array.from({ length: 120 }, () => {
    const entry = { policy: random() % 3, name: nameOf(), scope: 1 + (random() % 3), action: 1 + (random() % 3) };
    builder.addText(entry.policy, entry.name, entry.action as 1, entry.scope);
    return entry;
  });
  const table = new PolicyTable(atOnce(builder.finishing(5)));
  for (let i = 0; i < 2_000; i += 1) {
    const name = nameOf();
    const found = table.find(view(queryFor(name)));
    const wanted = [0, 1, 2]
      .map((policy) =>
        answerOf(
          entries.filter((entry) => entry.policy === policy),
          name,
        ),
      )
      .find(Boolean);
    const seen = found < 0 ? undefined : [table.arena[found + 2], table.arena[found + 3]];
    expect(seen).toEqual(wanted && [wanted.policy, parseName(wanted.name)?.length]);
  }
});

test("a hundred thousand names take some 30 bytes each, every one is found and no other", () => {
  const names = 100_000;
  const builder = new PolicyBuilder();
  for (let i = 0; i < names; i += 1)
    builder.addText(0, `ads-${i}.tracker${i % 977}.example`, POLICY_ACTION.nxdomain, SCOPE.self | SCOPE.below);
  const memory = atOnce(builder.finishing(3));
  expect(memory.names).toBe(names);
  expect((memory.slots.byteLength + memory.arena.byteLength) / names).toBeLessThan(50);
  const table = new PolicyTable(memory);
  for (let i = 0; i < names; i += 997) {
    expect(table.find(view(queryFor(`x.ads-${i}.tracker${i % 977}.example`)))).toBeGreaterThanOrEqual(0);
    expect(table.find(view(queryFor(`ads-${i}x.tracker${i % 977}.example`)))).toBe(-1);
  }
});

// Offsets have 25 bits: what lies beyond would be found in the place of something else.
test("all lists together have 128 MiB of names, and the error of the one that brings more says so", () => {
  const builder = new PolicyBuilder();
  const long = `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.example`;
  const name = parseName(long) ?? new Uint8Array();
  const entry = Math.ceil((4 + name.length) / 4) * 4;
  const fill = (): void => {
    for (let i = 0; i <= 2 ** 27 / entry; i += 1) builder.add(0, name, POLICY_ACTION.nxdomain, SCOPE.self);
  };
  expect(fill).toThrow(PolicyRoomError);
  expect(builder.names * entry).toBeGreaterThan(2 ** 27 - 2 ** 10);
  expect(builder.names * entry).toBeLessThanOrEqual(2 ** 27);
  const full = vi.spyOn(PolicyBuilder.prototype, "addText").mockImplementation(() => {
    throw new PolicyRoomError("too many names");
  });
  onTestFinished(() => full.mockRestore());
  expect(() => read({ kind: "domains", text: "ads.example\n" })).toThrow(
    ": has more names than fit beside the other lists: 128 MiB in all",
  );
});

interface Listed {
  readonly policy: number;
  readonly name: string;
  readonly scope: number;
}

/** What one list says of `name`: its own entry, else the wildcard of the longest listed name above it, if it has one. */
function answerOf(list: readonly Listed[], name: string): Listed | undefined {
  const own = list.find((entry) => entry.name === name && (entry.scope & SCOPE.self) !== 0);
  if (own !== undefined) return own;
  const above = list.filter((entry) => name.endsWith(`.${entry.name}`));
  const longest = Math.max(...above.map((entry) => entry.name.length));
  return above.find((entry) => entry.name.length === longest && (entry.scope & SCOPE.below) !== 0);
}

/** Numbers that are the same in every run. */
function lcg(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7f_ff_ff_ff) >>> 8;
}
