import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minutes, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { fell, penaltyAt, waitLeft, type Flaps } from "../src/decision/flap.ts";
import { FlapMemory } from "../src/flap-memory.ts";

const RULES = { halfLife: minutes(1), max: minutes(10) };
const MINUTE = 60_000_000;
const VIP = "10.10.10.53/32";

function after(falls: number, apart = 0): Flaps {
  let flaps: Flaps | undefined;
  for (let i = 0; i < falls; i += 1) flaps = fell(flaps, RULES, i * apart);
  return flaps as Flaps;
}

describe("the penalty", () => {
  test("halves every half-life", () => {
    expect(penaltyAt(after(1), RULES, MINUTE)).toBeCloseTo(500);
    expect(penaltyAt(after(1), RULES, 3 * MINUTE)).toBeCloseTo(125);
  });

  test("costs nothing until the third fall in a row, then more with each, up to the longest wait", () => {
    const waits = [1, 2, 3, 4, 5].map((falls) => waitLeft(after(falls), RULES, 0));
    expect(waits.slice(0, 2)).toEqual([0, 0]);
    expect(waits[2]).toBeGreaterThan(seconds(60));
    expect(waits.slice(2)).toEqual(waits.slice(2).toSorted((a, b) => a - b));
    expect(waitLeft(after(10_000), RULES, 0)).toBe(minutes(10));
  });

  test.each([
    ["half", 30],
    ["equal to", 60],
    ["a little more than", 61],
  ])("costs a wait, and no more than max, where max is %s the half-life", (_name, max) => {
    const rules = { halfLife: minutes(1), max: seconds(max) };
    let flaps: Flaps | undefined;
    for (let i = 0; i < 3; i += 1) flaps = fell(flaps, rules, 1_000_000 * i);
    const wait = waitLeft(flaps, rules, 2_000_000);
    expect(wait).toBeGreaterThan(seconds(max) - 1);
    expect(wait).toBeLessThanOrEqual(seconds(max));
    expect(waitLeft(flaps, rules, 2_000_000 + max * 1_000_000)).toBeCloseTo(0);
  });

  test("is over when it has decayed, to the moment", () => {
    const flaps = after(4);
    const wait = waitLeft(flaps, RULES, 0);
    expect(wait).toBe(minutes(2));
    expect(waitLeft(flaps, RULES, wait * 1_000 - 1_000)).toBeGreaterThan(0);
    expect(waitLeft(flaps, RULES, wait * 1_000)).toBe(0);
  });

  test("does not add up when falls are far apart", () => {
    expect(waitLeft(after(100, 5 * MINUTE), RULES, 99 * 5 * MINUTE)).toBe(0);
  });

  test("is not made longer by a clock that was set back", () => {
    expect(waitLeft(after(4), RULES, -100 * MINUTE)).toBe(minutes(2));
  });
});

describe("the memory of falls", () => {
  const directory = mkdtempSync(join(tmpdir(), "stitch-flaps-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "flaps.json");
  let clock: FakeClock;
  let failures: string[];
  const open = (): FlapMemory => new FlapMemory(path, clock, ({ message }) => void failures.push(message));

  beforeEach(() => {
    clock = new FakeClock();
    failures = [];
    rmSync(path, { force: true });
  });

  test("outlives the announcer", async () => {
    const memory = open();
    for (let i = 0; i < 4; i += 1) memory.fell(VIP, RULES);
    await memory.written();
    clock.advance(minutes(1));
    expect(open().waitLeft(VIP, RULES)).toBe(minutes(1));
    expect(failures).toEqual([]);
  });

  test("holds what has fallen lately and is configured, and nothing else", async () => {
    const memory = open();
    memory.fell("10.0.0.1/32", RULES);
    memory.fell("10.0.0.2/32", RULES);
    memory.keepOnly([VIP, "10.0.0.2/32"]);
    clock.advance(minutes(15));
    memory.fell(VIP, RULES);
    await memory.written();
    expect(Object.keys(JSON.parse(readFileSync(path, "utf8")) as object)).toEqual([VIP]);
  });

  test.each([
    ["rubbish", "{"],
    ["another shape", '{"10.10.10.53/32":{"penalty":"high"}}'],
    ["a penalty below zero", '{"10.10.10.53/32":{"penalty":-1,"at":0,"suppressed":true}}'],
    ["a penalty without end", '{"10.10.10.53/32":{"penalty":1e999,"at":0,"suppressed":true}}'],
    ["a file that is far too long", " ".repeat(300 * 1_024)],
  ])("ignores %s, and says so", async (_name, text) => {
    writeFileSync(path, text);
    const memory = open();
    expect(memory.waitLeft(VIP, RULES)).toBe(0);
    expect(failures).toHaveLength(1);
    memory.fell(VIP, RULES);
    await memory.written();
    expect(open().penalty(VIP, RULES)).toBeCloseTo(1_000);
    expect(failures).toHaveLength(1);
  });

  test("a penalty that no rule of ours gives waits no longer than the longest wait", () => {
    writeFileSync(path, `{"${VIP}":{"penalty":1e300,"at":${clock.wallMicros()},"suppressed":true}}`);
    expect(open().waitLeft(VIP, RULES)).toBe(minutes(10));
  });
});
