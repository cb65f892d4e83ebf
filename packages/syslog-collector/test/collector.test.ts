import { describe, expect, test, vi } from "vitest";
import { rawBytes } from "../src/store/record.ts";
import type { Endpoint } from "@stitch/linux-io";
import { Collector } from "../src/collector.ts";
import { REASONS } from "../src/reasons.ts";
import { arrivalsOf, SENDER } from "./arrivals.ts";
import { collect, MemorySink } from "./collecting.ts";
import { VECTORS } from "./vectors.ts";

// Thousands of runs, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 30_000 });

describe("vectors", () => {
  test("all are here", () => {
    expect(VECTORS).toHaveLength(61);
    expect(new Set(VECTORS.map(({ intent }) => intent)).size).toBe(VECTORS.length);
  });

  test.each(VECTORS)("$intent", ({ bytes, reason, value, raw64 }) => {
    const sent = typeof bytes === "string" ? Buffer.from(bytes) : Buffer.from(bytes);
    const { reason: found, record, line } = collect(sent);
    if (record === undefined) throw new Error(`nothing stored: ${line}`);
    const { seq, rx, from, to, raw, raw64: encoded, ...rest } = record;
    expect({ reason: found, value: rest }).toEqual({ reason, value });
    expect({ seq, rx, from, to }).toEqual({
      seq: 1,
      rx: "2026-11-22T14:42:01.123456789Z",
      from: "192.0.2.1:40001",
      to: "198.51.100.14:514",
    });
    expect(rawBytes(record)).toEqual(sent);
    expect({ raw: raw === undefined, raw64: encoded === undefined }).toEqual({
      raw: raw64 === true,
      raw64: raw64 !== true,
    });
  });
});

test("a datagram without a byte is counted and not stored", () => {
  expect(collect(new Uint8Array(0))).toMatchObject({ reason: "empty", line: undefined });
});

test("a datagram that was cut is stored and marked", () => {
  const { reason, record } = collect(Buffer.from("<13>1 - h a - - - cut he"), { truncated: true });
  expect({ reason, truncated: record?.truncated, message: record?.message }).toEqual({
    reason: "truncated",
    truncated: true,
    message: "cut he",
  });
});

test.each([0x00, 0x41, 0x22, 0x80])("the largest datagram, of bytes %i, is one line that gives it back", (byte) => {
  const bytes = Buffer.alloc(65_507, byte);
  const { line, record } = collect(bytes);
  expect(line?.indexOf("\n")).toBe((line?.length ?? 0) - 1);
  expect(record === undefined ? undefined : rawBytes(record).equals(bytes)).toBe(true);
});

test("structured data made to be expensive costs a bounded line, and is kept in full in the raw text", () => {
  const bytes = Buffer.from(`<13>1 - - - - - [a${' x="\u0001"'.repeat(9_000)}] t`);
  const { record, reason } = collect(bytes);
  expect(reason).toBe("rfc5424");
  expect(record?.sd?.["a"]?.["x"]).toHaveLength(64);
  expect(record === undefined ? undefined : rawBytes(record).equals(bytes)).toBe(true);
});

test("the line that grows most, control characters in one value, fits the room that is asked for", () => {
  const value = "\u0001".repeat(65_400);
  const { record } = collect(Buffer.from(`<13>1 - - - - - [a x="${value}"] t`));
  expect(record?.sd?.["a"]?.["x"]).toBe(value);
  expect(record?.message).toBe("t");
});

test("names made to be compared at length are not indexed, and cost no more than text of their size", () => {
  const parameters = Array.from({ length: 64 }, (_, i) => `${"n".repeat(900)}${String(i).padStart(3, "0")}="1"`);
  const bytes = Buffer.from(`<13>1 - - - - - [a ${parameters.join(" ")} k="v"] t`);
  const { record, reason } = collect(bytes);
  expect({ reason, sd: record?.sd, message: record?.message }).toEqual({
    reason: "rfc5424",
    sd: { a: { k: "v" } },
    message: "t",
  });
  const element = collect(Buffer.from(`<13>1 - - - - - [${"e".repeat(65)} k="1"][${"f".repeat(64)} k="2"] t`)).record;
  expect(element?.sd).toEqual({ ["f".repeat(64)]: { k: "2" } });
});

test("names that JavaScript objects treat specially are plain names", () => {
  const { record } = collect(Buffer.from('<13>1 - - - - - [__proto__ constructor="1" __proto__="2"] t'));
  expect(Object.keys(record?.sd ?? {})).toEqual(["__proto__"]);
  expect(({} as Record<string, unknown>)["constructor"]).toBe(Object);
});

test("an IPv6 sender is written in brackets", () => {
  const { record } = collect(Buffer.from("<13>x"), { from: { address: "2001:db8::1", port: 514 } });
  expect(record?.from).toBe("[2001:db8::1]:514");
});

test("the collector's own probe is taken to the line encoder and not stored", () => {
  const seen: string[] = [];
  const probes = {
    matches: ({ peers }: { peers: Uint8Array }) => peers[4] === 192,
    encoded: (line: Uint8Array) => void seen.push(Buffer.from(line).toString()),
  };
  const { reason, line } = collect(Buffer.from("<46>1 - - stitch - - - token"), { from: SENDER }, probes);
  expect({ reason, line, seen: seen.length }).toEqual({ reason: "self-check", line: undefined, seen: 1 });
  expect(seen[0]).toContain("token");
});

test("with memory at its bound strangers' datagrams are counted as store-full, and the own probe as what it is", () => {
  const sink = new MemorySink();
  sink.full = true;
  const probes = { matches: ({ peers }: { peers: Uint8Array }) => peers[4] === 192, encoded: () => undefined };
  const reasons = (from: Endpoint): string | undefined =>
    REASONS[new Collector(sink, probes).collect(arrivalsOf([{ bytes: Buffer.from("<46>x"), from }]), 0)];
  expect(reasons(SENDER)).toBe("self-check");
  expect(reasons({ address: "198.51.100.1", port: 1 })).toBe("store-full");
  expect(sink.lines).toEqual([]);
});
