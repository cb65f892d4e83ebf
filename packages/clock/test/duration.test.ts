import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  days,
  elapsed,
  formatDuration,
  formatWall,
  hours,
  later,
  milliseconds,
  minutes,
  scaled,
  seconds,
  type Instant,
} from "../src/index.ts";

test.each([
  [milliseconds(0), "0ms"],
  [milliseconds(300), "300ms"],
  [milliseconds(0.25), "0.25ms"],
  [milliseconds(1 / 3), "0.333ms"],
  [seconds(9), "9s"],
  [seconds(90), "90s"],
  [minutes(2), "2m"],
  [hours(36), "36h"],
  [days(30), "30d"],
])("%d ms is written %s", (duration, text) => {
  expect(formatDuration(duration)).toBe(text);
});

test("the units agree with each other", () => {
  expect([seconds(1), minutes(1), hours(1), days(1)]).toEqual([1_000, 60_000, 3_600_000, 86_400_000]);
  expect(scaled(seconds(4), 0.25)).toBe(seconds(1));
});

test("what is later by a duration has elapsed by that duration", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (start, by) => {
      const from = start as Instant;
      expect(elapsed(from, later(from, milliseconds(by)))).toBe(by);
    }),
  );
});

test("wall time is written as RFC 3339 in UTC, to the millisecond", () => {
  expect(formatWall(Date.UTC(2026, 10, 22, 14, 42, 1, 123) * 1_000 + 456)).toBe("2026-11-22T14:42:01.123Z");
});
