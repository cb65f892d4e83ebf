import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SiteDocument } from "@stitch/config";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { announcerConfig, type AnnouncerConfig } from "../src/config.ts";
import type { JournalEntry } from "../src/journal.ts";
import { readRecording } from "../src/replay/recording.ts";
import { replay, type ReplayedVip } from "../src/replay/replay.ts";
import { Scenario, SITE } from "./scenario.ts";

const HARD_NIGHT = [
  "peer 1 up",
  "report dns serving pass",
  "renew dns 3",
  "poll web pass 3",
  "wait 60s",
  "poll web fail 2", // forgiven by fall: 3
  "poll web pass 1",
  "lost dns lease-closed",
  "report dns serving pass",
  "renew dns 40", // up again after the hold-down of 3 s
  "wait 60s",
  "report dns serving degraded",
  "renew dns 100",
  "report dns serving pass",
  "wait 30s",
  "lost dns lease-expired",
];

let recording: readonly JournalEntry[];

beforeAll(async () => {
  const scenario = new Scenario();
  for (const line of HARD_NIGHT) await scenario.run(line);
  recording = scenario.journal.entries;
});

function policy(from = "", to = ""): AnnouncerConfig {
  expect(SITE).toContain(from);
  return announcerConfig(SiteDocument.parse(SITE.replace(from, to), "other.yaml"));
}

function replayed(config: AnnouncerConfig, service: string): ReplayedVip {
  const found = replay(recording, config).vips.find((vip) => vip.service === service);
  if (found === undefined) throw new Error(`no ${service}`);
  return found;
}

function lines(entries: readonly JournalEntry[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}

describe("a recorded night", () => {
  test("comes out of the same policy as it was", () => {
    for (const service of ["dns", "web"]) {
      const { recorded, replayed: again } = replayed(policy(), service);
      expect(again.withdrawals).toBe(recorded.withdrawals);
      expect(again.normal).toBeCloseTo(recorded.normal, 2);
      expect(again.lastResort).toBeCloseTo(recorded.lastResort, 2);
    }
    expect(replayed(policy(), "dns").recorded).toMatchObject({ withdrawals: 2 });
    expect(replayed(policy(), "dns").recorded.lastResort).toBeGreaterThan(0.03);
  });

  test("with a longer hold-down is announced for less of it", () => {
    const { recorded, replayed: careful } = replayed(
      policy('check: { lease: "http://127.0.0.1:8153" }', "holdDown: 40s\n      $&"),
      "dns",
    );
    expect(careful.withdrawals).toBe(recorded.withdrawals);
    expect(recorded.normal - careful.normal).toBeGreaterThan(0.15);
  });

  test("with a fall of one loses a route that a fall of three has kept", () => {
    const {
      recorded,
      replayed: hasty,
      decisions,
    } = replayed(policy("service: web, ", "service: web, fall: 1, "), "web");
    expect([recorded.withdrawals, hasty.withdrawals]).toEqual([0, 1]);
    expect(decisions.map(({ reason }) => reason)).toContain("fallen");
  });

  test("says which VIPs the policy does not have, and that drains are not replayed", async () => {
    const scenario = new Scenario();
    for (const line of ["poll web pass 3", "drain web", "wait 1s"]) await scenario.run(line);
    const config = announcerConfig(SiteDocument.parse(SITE.replace(/^.*service: web.*\n/m, ""), "other.yaml"));
    expect(replay(scenario.journal.entries, config)).toMatchObject({ unknown: ["10.10.20.1/32"], drains: 1 });
  });
});

describe("a journal file", () => {
  const directory = mkdtempSync(join(tmpdir(), "stitch-replay-"));
  afterAll(() => rmSync(directory, { recursive: true }));

  test("is read with the rotated one before it, whatever else is in it", () => {
    const path = join(directory, "journal.jsonl");
    writeFileSync(`${path}.1`, lines(recording.slice(0, 5)));
    writeFileSync(
      path,
      `{"id":7,"at":"2026-\n[]\nnull\n${lines(recording.slice(5))}{"kind":"unheard-of","id":1,"at":"x"}\n`,
    );
    expect(readRecording(path)).toEqual(recording);
  });

  test.each([
    ["gone.jsonl", undefined, /gone\.jsonl: cannot be read \(ENOENT\)/],
    ["other.jsonl", "hello\n", /other\.jsonl: has no line of a journal in it/],
  ])("%s is refused with a sentence", (name, text, why) => {
    if (text !== undefined) writeFileSync(join(directory, name), text);
    expect(() => readRecording(join(directory, name))).toThrow(why);
  });
});
