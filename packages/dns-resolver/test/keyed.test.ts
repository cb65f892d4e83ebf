import fc from "fast-check";
import { expect, test } from "vitest";
import { Keyed } from "../src/upstream/keyed.ts";
import { keyOf } from "./questions.ts";

test("is a map, whatever comes and goes", () => {
  const key = fc.integer({ min: 0, max: 30 }).map((n) => `name-${n}.test`);
  const step = fc.record({ key, value: fc.integer(), gone: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const [keyed, map] = [new Keyed<number>(), new Map<string, number>()];
      for (const { key: at, value, gone } of steps) {
        if (gone) keyed.delete(keyOf(at));
        else keyed.set(keyOf(at), value);
        if (gone) map.delete(at);
        else map.set(at, value);
        expect(keyed.size).toBe(map.size);
      }
      for (let n = 0; n <= 30; n += 1) {
        expect(keyed.get(keyOf(`name-${n}.test`))).toBe(map.get(`name-${n}.test`));
        expect(keyed.has(keyOf(`name-${n}.test`))).toBe(map.has(`name-${n}.test`));
      }
    }),
  );
});

test("more than it has buckets for are all found", () => {
  const keyed = new Keyed<number>();
  for (let n = 0; n < 20_000; n += 1) keyed.set(keyOf(`key-${n}.test`), n);
  for (let n = 0; n < 20_000; n += 3) keyed.delete(keyOf(`key-${n}.test`));
  expect(keyed.size).toBe(20_000 - Math.ceil(20_000 / 3));
  for (let n = 0; n < 20_000; n += 1) expect(keyed.get(keyOf(`key-${n}.test`))).toBe(n % 3 === 0 ? undefined : n);
});
