import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fractionOf, secondsOfShort, shortOf, timestampOf, wallMicrosOf } from "../src/wire/timestamp.ts";

const ERA_1 = Date.UTC(2036, 1, 7, 6, 28, 16) * 1_000;

describe("timestamps", () => {
  test("1970 is 2,208,988,800 seconds into era 0", () => {
    expect(timestampOf(0)).toEqual({ seconds: 2_208_988_800, fraction: 0 });
  });

  test("the last microsecond of era 0 has all seconds bits set", () => {
    expect(timestampOf(ERA_1 - 1)).toEqual({ seconds: 0xffff_ffff, fraction: fractionOf(999_999_000) });
  });

  test("era 1 begins at zero, 2036-02-07 06:28:16 UTC", () => {
    expect(timestampOf(ERA_1)).toEqual({ seconds: 0, fraction: 0 });
    expect(timestampOf(ERA_1 + 1_500_000)).toEqual({ seconds: 1, fraction: 2 ** 31 });
  });

  test("a timestamp is read in the era nearest to the present", () => {
    const wrapped = timestampOf(ERA_1 + 5_000_000);
    expect(wallMicrosOf(wrapped, ERA_1 - 60_000_000)).toBe(ERA_1 + 5_000_000);
    const before = timestampOf(ERA_1 - 5_000_000);
    expect(wallMicrosOf(before, ERA_1 + 60_000_000)).toBe(ERA_1 - 5_000_000);
  });

  test("microseconds survive the way there and back, 1970 to 2200", () => {
    const until2200 = Date.UTC(2200, 0) * 1_000;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: until2200 }), (micros) => {
        expect(wallMicrosOf(timestampOf(micros), micros)).toBe(micros);
      }),
    );
  });

  test("both halves fit 32 bits for every time", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_294_967_295 }), fc.integer({ min: 0, max: 999_999_999 }), (s, ns) => {
        const { seconds, fraction } = timestampOf(s * 1e6 + Math.floor(ns / 1_000));
        expect(seconds).toBe(seconds >>> 0);
        expect(fraction).toBe(fraction >>> 0);
        expect(fractionOf(ns)).toBe(fractionOf(ns) >>> 0);
      }),
    );
  });
});

describe("short format", () => {
  test("one second is 65,536 units", () => {
    expect(shortOf(1)).toBe(65_536);
    expect(secondsOfShort(65_536)).toBe(1);
  });

  test("rounds up: a bound on an error never shrinks", () => {
    expect(shortOf(0.1 / 65_536)).toBe(1);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 60_000, noNaN: true }), (s) => {
        expect(secondsOfShort(shortOf(s))).toBeGreaterThanOrEqual(s);
      }),
    );
  });

  test("stays within 32 bits, whatever it is given", () => {
    expect([shortOf(-1), shortOf(1e9)]).toEqual([0, 0xffff_ffff]);
  });
});
