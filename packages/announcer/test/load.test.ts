import fc from "fast-check";
import { expect, test } from "vitest";
import { markOf, nextMark, type LoadMark } from "../src/decision/load.ts";
import { advertisementFor, originOf } from "../src/route/advertisement.ts";

const load = fc.double({ min: 0, max: 1, noNaN: true });

test("ten steps and four levels cover the range", () => {
  expect([0, 0.099, 0.1, 0.5, 0.99, 1].map((value) => markOf(value).step)).toEqual([0, 0, 1, 5, 9, 9]);
  expect([0, 0.24, 0.25, 0.5, 0.75, 1].map((value) => markOf(value).prepend)).toEqual([0, 0, 1, 2, 3, 3]);
});

test("a mark is never out of range and never further from the load than the hysteresis", () => {
  fc.assert(
    fc.property(fc.array(load, { minLength: 1 }), (loads) => {
      let mark: LoadMark = markOf(0);
      for (const value of loads) {
        mark = nextMark(mark, value);
        expect(mark.step).toBeGreaterThanOrEqual(0);
        expect(mark.step).toBeLessThanOrEqual(9);
        expect(value * 10).toBeGreaterThanOrEqual(mark.step - 0.2);
        expect(value * 10).toBeLessThanOrEqual(mark.step + 1.2);
      }
    }),
  );
});

test("load that swings about a boundary by less than the hysteresis moves nobody", () => {
  const before = nextMark(markOf(0.45), 0.45);
  for (const value of [0.49, 0.505, 0.5, 0.51, 0.495]) expect(nextMark(before, value)).toBe(before);
  expect(nextMark(before, 0.53).step).toBe(5);
});

test("a loaded route carries ASN:2:STEP and its prepends; last resort stays what it is", () => {
  const origin = originOf(65_101, "nyc", "nyc-1");
  const prefix = { family: "ipv4", address: "10.10.20.1", length: 32 } as const;
  expect(advertisementFor(prefix, "normal", origin, { step: 7, prepend: 2 })).toEqual({
    prefix,
    largeCommunities: [origin.instance, { global: 65_101, local1: 2, local2: 7 }],
    prepend: 2,
  });
  const lastResort = advertisementFor(prefix, "last-resort", origin);
  expect(advertisementFor(prefix, "last-resort", origin, { step: 7, prepend: 2 })).toEqual(lastResort);
});
