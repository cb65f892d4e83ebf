import { execFileSync } from "node:child_process";
import { appendFileSync, createReadStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@stitch/clock/testing";
import { createRegistry } from "@stitch/health";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Journal, type JournalFact } from "../src/journal.ts";
import type { Announcer } from "../src/announcer.ts";
import { HealthRecord } from "../src/health-record.ts";
import { registerAnnouncerMetrics } from "../src/metrics.ts";
import { Scenario } from "./scenario.ts";

const HELD: JournalFact = { kind: "held", vip: "10.10.10.53/32", detail: "no other origin" };

const FELL: JournalFact = {
  kind: "decision",
  vip: "10.10.10.53/32",
  service: "dns",
  from: "UP",
  to: "DOWN",
  verdict: "unknown",
  wish: { from: "normal", to: "none" },
  cause: 7,
  reason: "lease-closed",
  detail: "",
};

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "stitch-journal-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe("the journal", () => {
  test("is one JSON line per entry, numbered and stamped", async () => {
    const path = join(directory, "deep", "journal.jsonl");
    const journal = new Journal(path, new FakeClock(), (failure) => expect.fail(failure.message));
    journal.append(HELD);
    journal.append(HELD);
    await journal.written();
    const lines = readFileSync(path, "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { id: 1, at: "2026-01-01T00:00:00.000Z", ...HELD },
      { id: 2, at: "2026-01-01T00:00:00.000Z", ...HELD },
    ]);
  });

  test("keeps one old file when the current one is full", async () => {
    const path = join(directory, "journal.jsonl");
    writeFileSync(path, "x".repeat(8 * 2 ** 20 + 1));
    const journal = new Journal(path, new FakeClock(), (failure) => expect.fail(failure.message));
    journal.append(HELD);
    await journal.written();
    expect(statSync(`${path}.1`).size).toBe(8 * 2 ** 20 + 1);
    expect(readFileSync(path, "utf8")).toMatch(/\{"id":1,/);
  });

  test("says once that the disk refuses, and decisions go on", async () => {
    const blocked = join(directory, "file");
    writeFileSync(blocked, "");
    const failures: Error[] = [];
    const journal = new Journal(
      join(blocked, "journal.jsonl"),
      new FakeClock(),
      (failure) => void failures.push(failure),
    );
    for (let i = 0; i < 5; i += 1) {
      journal.append(HELD);
      await journal.written();
    }
    expect(failures).toHaveLength(1);
    expect(journal.entries).toHaveLength(5);
  });

  test("remembers a bounded number of entries, and no other kind pushes a VIP's decisions out", () => {
    const journal = new Journal(undefined, new FakeClock(), (failure) => expect.fail(failure.message));
    journal.append(FELL);
    for (let i = 0; i < 1_500; i += 1) journal.append(HELD);
    expect(journal.entries).toHaveLength(201);
    expect(journal.entries[0]).toMatchObject(FELL);
    expect(journal.entries.at(-1)?.id).toBe(1_501);
  });

  test("remembers what an earlier announcer wrote, the line in which it was killed aside", async () => {
    const path = join(directory, "journal.jsonl");
    const first = new Journal(path, new FakeClock(), (failure) => expect.fail(failure.message));
    first.append(FELL);
    await first.written();
    appendFileSync(path, `null\n{"kind":"surprise","id":9,"at":""}\n{"id":2,"at":"2026-01-0`);
    const second = new Journal(path, new FakeClock(), (failure) => expect.fail(failure.message));
    second.append(HELD);
    await second.written();
    const third = new Journal(path, new FakeClock(), (failure) => expect.fail(failure.message));
    expect(third.entries).toMatchObject([
      { id: 1, ...FELL },
      { id: 2, ...HELD },
    ]);
  });

  test("does not make a decision wait for the disk", async () => {
    const fifo = join(directory, "journal.jsonl");
    execFileSync("mkfifo", [fifo]);
    const journal = new Journal(fifo, new FakeClock(), (failure) => expect.fail(failure.message));
    journal.append(HELD); // nobody reads: opening it would block for ever
    expect(journal.entries).toHaveLength(1);
    const reader = createReadStream(fifo);
    await journal.written();
    reader.destroy();
  });
});

describe("what a check says, in the journal", () => {
  const judged = { verdict: "pass", reason: "check-failed", detail: "" } as const;
  let journal: Journal;
  let record: HealthRecord;

  beforeEach(() => {
    journal = new Journal(undefined, new FakeClock(), (failure) => expect.fail(failure.message));
    record = new HealthRecord({ vip: "10.10.10.53/32", service: () => "dns", journal });
  });

  test("is one entry for a combination whose parts take turns, round after round", () => {
    for (let i = 0; i < 500; i += 1) for (const good of [false, true]) record.judged({ ...judged, good });
    expect(journal.entries).toMatchObject([{ good: false }, { good: true }]);
  });

  test("is an entry again when a combination fails or recovers", () => {
    record.judged({ ...judged, good: true });
    record.judged({ ...judged, verdict: "fail", reason: "fallen", good: false });
    record.judged({ ...judged, good: false });
    expect(journal.entries).toMatchObject([{ good: true }, { verdict: "fail" }, { verdict: "pass", good: false }]);
  });
});

describe("the announcer's metrics", () => {
  test("tell routes, sessions and decisions by reason", async () => {
    const scenario = new Scenario();
    const registry = createRegistry({ service: "announcer", site: "nyc", instance: "nyc-1" });
    registerAnnouncerMetrics(registry, scenario.announcer, scenario.journal);
    for (const line of ["peer 1 up", "report dns serving pass", "renew dns 3"]) await scenario.run(line);
    const text = await registry.metrics();
    const where = 'service="announcer",site="nyc",instance="nyc-1"';
    expect(text).toContain(`stitch_announcer_route{vip="10.10.10.53/32",${where}} 2`);
    expect(text).toContain(`stitch_announcer_route{vip="10.10.5.14/32",${where}} 0`);
    expect(text).toContain(`stitch_announcer_session_established{peer="192.0.2.101",${where}} 1`);
    expect(text).toContain(`stitch_announcer_session_established{peer="192.0.2.102",${where}} 0`);
    expect(text).toContain(`stitch_announcer_decisions_total{reason="risen",${where}} 1`);
    expect(text).toContain(`stitch_announcer_decisions_total{reason="lease-closed",${where}} 0`);
  });

  test("forget peers that a reload has taken out, and show BFD where a reload brings it", async () => {
    const registry = createRegistry({ service: "announcer", site: "nyc", instance: "nyc-1" });
    const scenario = new Scenario();
    const peer = { config: { address: "192.0.2.101" }, status: { state: "Established", lag: { worst: 5 } } };
    const bfd = { wanted: false, report: { sessions: [] as object[], lag: 7_000 } };
    const running = { vips: [], peers: [peer], bfd } as unknown as Announcer;
    registerAnnouncerMetrics(registry, running, scenario.journal);
    expect(await registry.metrics()).not.toMatch(/bfd_lag_seconds\{.*\} 7/);
    bfd.wanted = true;
    bfd.report.sessions.push({ address: "192.0.2.101", state: "Up", ups: 1 });
    const text = await registry.metrics();
    expect(text).toMatch(/bfd_lag_seconds\{.*\} 7/);
    for (const name of ["lag_seconds", "bfd_up", "bfd_ups"])
      expect(text).toContain(`stitch_announcer_${name}{peer="192.0.2.101"`);
    Object.assign(running, { peers: [] });
    bfd.report.sessions.length = 0;
    bfd.wanted = false;
    expect(await registry.metrics()).not.toContain('peer="192.0.2.101"');
    expect(await registry.metrics()).not.toMatch(/bfd_lag_seconds\{.*\} 7/);
  });

  test("an update names the decision that caused it", async () => {
    const scenario = new Scenario();
    for (const line of ["peer 1 up", "report dns serving pass", "renew dns 3", "sent 1 dns"]) await scenario.run(line);
    const risen = scenario.journal.entries.find((entry) => entry.kind === "decision" && entry.reason === "risen");
    expect(scenario.journal.entries.at(-1)).toMatchObject({
      kind: "update",
      announced: ["10.10.10.53/32"],
      cause: risen?.id,
    });
  });
});
