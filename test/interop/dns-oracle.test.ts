import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isDoubtful } from "./dns-oracle/asking.ts";
import { BEHAVIOURS } from "./dns-oracle/behaviours.ts";
import { explain, SENTENCES } from "./dns-oracle/classes.ts";
import { differences } from "./dns-oracle/compare.ts";
import { FORGED_DATA } from "./dns-oracle/message.ts";
import type { Put } from "./dns-oracle/questions.ts";
import { compare, report } from "./dns-oracle/run.ts";
import { readReply, TYPE, type Reply } from "./dns-oracle/wire.ts";

// The same questions to our resolver and to unbound, over the same nsd and the same hostile upstream: see dns-oracle/.
// 50,000 of them are put by test/long/dns-oracle.test.ts.

const QUESTIONS = 2_000;
const SEED = 1;
const PATIENCE_MS = 6_000;

test("2,000 questions get the same answers from us as from unbound, or differ in a way that is explained", async () => {
  const result = await compare(QUESTIONS, SEED, PATIENCE_MS);
  process.stdout.write(report(result, SENTENCES));
  expect(result.unexplained).toEqual([]);
  expect(result.same).toBeGreaterThan(QUESTIONS / 2);
  expect(result.settled).toBeLessThan(QUESTIONS / 20);
  expect(Object.keys(BEHAVIOURS).filter((kind) => !result.kinds.has(kind)).length).toBeLessThan(5);
});

// A comparison that sees nothing would pass too.

const PUT: Put = { name: "www.x", type: TYPE.A, kind: "plain", flags: 0x100, edns: 1_232, dnssecOk: false, tcp: false };
const REPLY: Reply = readReply(
  Buffer.from(
    "000181800001000100000000037777770178000001 0001c00c00010001 0000012c0004c0000201".replaceAll(" ", ""),
    "hex",
  ),
);
const [ANSWER] = REPLY.answers;
const withAnswer = (changed: object): Reply => ({
  ...REPLY,
  answers: [{ ...ANSWER, ...changed } as NonNullable<typeof ANSWER>],
});

test.each<readonly [string, Reply | undefined]>([
  ["rcode", { ...REPLY, rcode: 2 }],
  ["answers", withAnswer({ data: "c0000202" })],
  ["answers", withAnswer({ owner: "other.x" })],
  ["answers", withAnswer({ class: 3 })],
  ["answers", { ...REPLY, answers: [] }],
  ["ttl", withAnswer({ ttl: 100 })],
  ["soa", { ...REPLY, authorities: [{ owner: "x", type: TYPE.SOA, class: 1, ttl: 5, data: "" }] }],
  ["flags", { ...REPLY, ad: true }],
  ["flags", { ...REPLY, aa: true }],
  ["flags", { ...REPLY, tc: true }],
  ["no-reply", undefined],
])("another %s is a difference, and explained by nothing", (what, other) => {
  expect(differences(PUT, REPLY, REPLY, 10)).toEqual([]);
  const found = differences(PUT, REPLY, other, 10);
  expect(found).toEqual([what]);
  for (const [ours, theirs] of [
    [REPLY, other],
    [other, REPLY],
  ] as const) {
    const compared = { put: PUT, ours, theirs, differences: found, seconds: 10 };
    expect(explain(compared)).toBeUndefined();
    // Only a failure is asked again.
    expect(isDoubtful(compared)).toBe(what === "rcode" || what === "no-reply");
  }
});

test("a reply that is too long for the client, and a forged one, are never explained", () => {
  const put = { ...PUT, kind: "alias-and-more" };
  const long = { ...REPLY, size: 1_300 };
  const forged = withAnswer({ data: FORGED_DATA });
  expect([differences(put, long, REPLY, 10), differences(put, forged, REPLY, 10)]).toEqual([
    ["size"],
    ["answers", "forged"],
  ]);
  for (const ours of [long, forged]) {
    expect(
      explain({ put, ours, theirs: REPLY, differences: differences(put, ours, REPLY, 10), seconds: 10 }),
    ).toBeUndefined();
  }
});

test("the README of the resolver lists these classes and sentences, and no others", () => {
  const readme = readFileSync(join(import.meta.dirname, "../../packages/dns-resolver/README.md"), "utf8").split("\n");
  const from = readme.indexOf("| difference | why |") + 2;
  const rows = readme.slice(from, readme.indexOf("", from));
  expect(rows).toEqual([...SENTENCES].map(([name, because]) => `| ${name} | ${because} |`));
});
