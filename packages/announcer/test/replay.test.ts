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

  test("says which VIPs the policy does not have, and counts the drains of those it has", async () => {
    const entries = await recordingOf([
      "poll web pass 3",
      "drain web",
      "report dns serving pass",
      "drain dns",
      "wait 1s",
    ]);
    const config = announcerConfig(SiteDocument.parse(SITE.replace(/^.*service: web.*\n/m, ""), "other.yaml"));
    expect(replay(entries, config)).toMatchObject({ unknown: ["10.10.20.1/32"], drains: 1 });
  });
});

const PATIENT = ["drain: { time: 1s, max: 3s }", "drain: { time: 20s, max: 30s }"] as const;
const UP = ["peer 1 up", "report dns serving pass", "renew dns 3", "wait 10s"];

/** The recording ends with a word of another VIP, so that the time before it is part of it. */
async function recordingOf(story: readonly string[]): Promise<readonly JournalEntry[]> {
  const scenario = new Scenario();
  for (const line of [...story, "poll web pass 1"]) await scenario.run(line);
  return scenario.journal.entries;
}

/** The decisions about dns by the policy, each as seconds since the first word and what came of it. */
function storyOf(entries: readonly JournalEntry[], config = policy()): string[] {
  const found = replay(entries, config).vips.find(({ service }) => service === "dns");
  const began = Date.parse(entries[0]?.at ?? "");
  return (found?.decisions ?? [])
    .filter(({ wish, from, to }) => wish.from !== wish.to || from !== to)
    .map(({ at, to, reason }) => `${Math.round((Date.parse(at) - began) / 1_000)} ${to} ${reason}`);
}

const RISEN = ["0 RISING check-passed", "0 UP risen"];

describe("drains in a recording", () => {
  const EVENING = [
    ...UP,
    "path 1 dns other",
    "drain dns",
    "wait 60s",
    "undrain dns",
    "renew dns 10",
    "wait 10s",
    "report dns serving degraded",
  ];

  test("come out of the same policy as they were", async () => {
    const entries = await recordingOf(EVENING);
    const dns = replay(entries, policy()).vips.find(({ service }) => service === "dns");
    expect(dns?.replayed.withdrawals).toBe(1);
    expect(dns?.replayed.normal).toBeCloseTo(dns?.recorded.normal ?? 0, 2);
    expect(dns?.replayed.lastResort).toBeCloseTo(dns?.recorded.lastResort ?? 0, 2);
    expect(storyOf(entries).slice(0, 6)).toEqual([
      ...RISEN,
      "10 DRAINING operator-drain",
      "11 DRAINED other-origin-seen",
      "70 INIT operator-undrain",
      "70 RISING check-passed",
    ]);
  });

  test("stay on last resort for the time of the policy, and not beyond their end", async () => {
    const entries = await recordingOf(EVENING);
    expect(storyOf(entries, policy(...PATIENT))).toContain("30 DRAINED other-origin-seen");
    const endless = policy(PATIENT[0], "drain: { time: 55s, max: 55s }");
    const short = await recordingOf(EVENING.map((line) => line.replace("60s", "30s")));
    expect(storyOf(short, endless).slice(0, 4)).toEqual([
      ...RISEN,
      "10 DRAINING operator-drain",
      "40 UP operator-undrain",
    ]);
  });

  test("are never withdrawn before the evidence was there, unless forced", async () => {
    const held = [...UP, "drain dns", "wait 30s", "path 1 dns other", "wait 30s"];
    expect(storyOf(await recordingOf(held))).toContain("40 DRAINED other-origin-seen");
    const never = await recordingOf([...UP, "drain dns", "wait 60s"]);
    expect(storyOf(never).at(-1)).toBe("10 DRAINING operator-drain");
    const forced = await recordingOf([...UP, "drain dns force", "wait 60s"]);
    expect(storyOf(forced).at(-1)).toBe("11 DRAINED drain-forced");
    expect(storyOf(forced, policy(...PATIENT)).at(-1)).toBe("30 DRAINED drain-forced");
  });

  test("return by themselves when the operator had said so", async () => {
    const entries = await recordingOf([
      ...UP,
      "path 1 dns other",
      "drain dns for=30s",
      "wait 31s",
      "renew dns 9",
      "wait 9s",
    ]);
    expect(storyOf(entries)).toContain("40 INIT drain-expired");
  });

  test("of a service that was told to stop end at the deadline of the policy", async () => {
    const entries = await recordingOf([...UP, "report dns draining pass", "wait 60s"]);
    expect(storyOf(entries).at(-1)).toBe("13 DOWN drain-deadline");
    expect(storyOf(entries, policy(...PATIENT)).at(-1)).toBe("40 DOWN drain-deadline");
  });

  test("of a service that fails meanwhile end with it", async () => {
    const entries = await recordingOf([...UP, "drain dns", "wait 5s", "lost dns lease-closed", "wait 60s"]);
    expect(storyOf(entries).at(-1)).toBe("15 DRAINED lease-closed");
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
    ["gone.jsonl", undefined, /gone\.jsonl: no such file/],
    ["other.jsonl", "hello\n", /other\.jsonl: has no line of a journal in it/],
  ])("%s is refused with a sentence", (name, text, why) => {
    if (text !== undefined) writeFileSync(join(directory, name), text);
    expect(() => readRecording(join(directory, name))).toThrow(why);
  });
});
