import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DecodedPacket } from "dns-packet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { problemOf, type DnsChoice } from "../dns.ts";
import { ADDRESS } from "../dns/client.ts";
import { differenceOf } from "../dns/compared.ts";
import { judged } from "../dns/goals.ts";
import { MIXTURE, writeFlood, writeHits, writeMisses, writeMixture } from "../dns/names.ts";
import type { Spread } from "../spread.ts";
import { pacedOnce } from "../dns/paced.ts";
import { threadOf } from "../priority.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stitch-bench-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const A = { type: "A" as const, name: "n0.bench.test", class: "IN" as const, ttl: 3_000, data: "192.0.2.1" };

function answer(fields: Partial<DecodedPacket> = {}): DecodedPacket {
  const questions = [{ type: "A" as const, name: "n0.bench.test", class: "IN" as const }];
  return {
    id: 1,
    flags: 0x81_80,
    questions,
    answers: [A],
    authorities: [],
    additionals: [],
    ...fields,
  } as DecodedPacket;
}

test("the nice value of a thread is read whatever its name is", () => {
  const rest = "S 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 -5 11 0 77";
  for (const name of ["worker-1", "DNS (main) 7", ") S 9"]) {
    expect(threadOf(`4711 (${name}) ${rest}`)).toEqual({ tid: 4_711, nice: -5 });
  }
});

function soa(ttl: number): DecodedPacket {
  return answer({ authorities: [{ ...A, ttl }] });
}

function spread(median: number): Spread {
  return { median, min: median, max: median };
}

function lines(file: string): string[] {
  return readFileSync(file, "utf8").trimEnd().split("\n");
}

describe("two answers to one question", () => {
  test.each([
    ["are the same", answer(), answer({ id: 77 })],
    ["may differ in AA", answer({ flags: 0x85_80 }), answer()],
    [
      "have their records in any order",
      answer({ answers: [A, { ...A, data: "192.0.2.2" }] }),
      answer({ answers: [{ ...A, data: "192.0.2.2" }, A] }),
    ],
    ["were cached within a second of each other", answer(), answer({ answers: [{ ...A, ttl: 2_998 }] })],
  ])("%s", (_, ours, theirs) => {
    expect(differenceOf(ours, theirs, 0)).toBeUndefined();
  });

  test.each([
    ["rcode", answer({ flags: 0x81_83 }), /flags and rcode 8183 and 8180/],
    ["data", answer({ answers: [{ ...A, data: "192.0.2.9" }] }), /^answers .*192\.0\.2\.9.* and .*192\.0\.2\.1/],
    ["a record more", answer({ authorities: [A] }), /^authorities/],
    ["a TTL that does not age", answer({ answers: [{ ...A, ttl: 3_003 }] }), /TTL in answers 3003 and 3000/],
  ])("differ in %s", (_, ours, said) => {
    expect(differenceOf(ours, answer(), 0)).toMatch(said);
  });

  test("the later one is older by what has passed", () => {
    expect(differenceOf(answer(), answer({ answers: [{ ...A, ttl: 2_990 }] }), 10)).toBeUndefined();
    expect(differenceOf(answer(), answer(), 10)).toMatch(/10\.0 s later/);
  });

  test("the other may have a zone's SOA from before, ours may not", () => {
    expect(differenceOf(soa(300), soa(200), 0)).toBeUndefined();
    expect(differenceOf(soa(200), soa(300), 0)).toMatch(/TTL in authorities/);
  });
});

test("every goal that was measured is met or missed", () => {
  const { met, missed } = judged({ "hit/unbound": spread(0.9), "hit/echo": spread(1.4), "hit/dnsmasq": spread(3) });
  expect(met).toEqual(["hit/unbound is 0.90 at the median, the goal is 1"]);
  expect(missed).toEqual(["hit/echo is 1.40 at the median, the goal is 1.3"]);
});

test("questions for hits come once each, others are never asked twice", () => {
  expect(new Set(lines(writeHits(folder, 10_000))).size).toBe(10_000);
  const [first, second] = ["a", "b"].map((run) => lines(writeMisses(folder, run, 500)));
  expect(new Set([...(first ?? []), ...(second ?? []), ...lines(writeFlood(folder, "a", 500))]).size).toBe(1_500);
});

test("of a mixture one question in five is new, and the others are of the zone", () => {
  const mixture = lines(writeMixture(folder, "a", 500));
  const fresh = mixture.filter((_, i) => i % MIXTURE === MIXTURE - 1);
  expect(new Set(fresh).size).toBe(100);
  expect(fresh.every((line) => line.startsWith("mixed-a-"))).toBe(true);
  expect(lines(writeMisses(folder, "a", 500)).filter((line) => fresh.includes(line))).toEqual([]);
  expect(mixture.filter((line) => /^n\d+\.bench\.test A$/.test(line))).toHaveLength(400);
});

test.each([
  [{}, ""],
  [{ only: ["hit", "miss"], workers: 2 }, ""],
  [{ only: ["hits"] }, "--only hits: one or more of hit1,hit,hit1M,miss,nxdomain,mix"],
  [{ workers: 3 }, "--workers: 1 or 2"],
])("the choice %j", (fields, problem) => {
  const choice: DnsChoice = { rounds: undefined, quick: false, only: undefined, workers: undefined, ...fields };
  expect(problemOf(choice) ?? "").toBe(problem);
});

const elsewhere = process.platform !== "linux" && process.env["CI"] === undefined;

test.skipIf(elsewhere)(
  "a fixed rate: as many questions as it says, their times, and one answer in so many",
  async () => {
    const server = createSocket("udp4");
    const asked: Buffer[] = [];
    server.on("message", (bytes, { port, address }) => {
      asked.push(bytes);
      if (asked.length % 10 !== 0) server.send(bytes, port, address); // one in ten is lost
    });
    server.bind(0, ADDRESS);
    await once(server, "listening");
    const queries = writeHits(folder, 10);
    const { port } = server.address();
    const seen = await pacedOnce(
      { port, queries, rate: 500, milliseconds: 400, sockets: 3, sample: 50, untimed: 0 },
      "0",
    );
    server.close();
    expect(seen.sent).toBe(200);
    expect(seen.answered).toBeGreaterThan(0);
    expect(seen.answered).toBeLessThanOrEqual(180);
    expect(seen.p50).toBeGreaterThan(0);
    expect(seen.p99).toBeGreaterThanOrEqual(seen.p50);
    const names = asked.map((bytes) => /n\d/.exec(bytes.toString("latin1"))?.[0]);
    expect(new Set(names).size).toBe(10);
    for (const { bytes, atMs } of seen.samples) {
      expect(asked.some((each) => each.equals(bytes))).toBe(true);
      expect(Math.abs(Date.now() - atMs)).toBeLessThan(60_000);
    }
    expect(seen.samples.length).toBeLessThanOrEqual(4);
  },
);

test.skipIf(elsewhere)("no time is taken of the last of so many questions", async () => {
  const server = createSocket("udp4");
  let asked = 0;
  server.on("message", (bytes, { port, address }) => {
    asked += 1;
    if (asked % MIXTURE === 0) server.send(bytes, port, address); // only those
  });
  server.bind(0, ADDRESS);
  await once(server, "listening");
  const queries = writeMixture(folder, "m", 100);
  const { port } = server.address();
  const pace = { port, queries, rate: 500, milliseconds: 200, sockets: 1, sample: 1, untimed: MIXTURE };
  const seen = await pacedOnce(pace, "0");
  server.close();
  expect(seen).toMatchObject({ sent: 100, answered: 20, p50: 0, p99: 0, max: 0 });
  for (const { bytes } of seen.samples) expect(bytes.toString("latin1")).toMatch(/m-\d*[49].any/);
});
