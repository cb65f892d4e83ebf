import * as fc from "fast-check";
import { expect, test } from "vitest";
import { copied, zeros } from "../src/wire/blocks.ts";

test("octets of a block are zero, aligned, and nobody else's", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 200 }), (lengths) => {
      const all = lengths.map((length, i) => {
        const bytes = zeros(length);
        expect([bytes.length, bytes.byteOffset % 8, bytes.every((byte) => byte === 0)]).toEqual([length, 0, true]);
        return bytes.fill((i % 255) + 1);
      });
      for (const [i, bytes] of all.entries()) expect(bytes.every((byte) => byte === (i % 255) + 1)).toBe(true);
    }),
  );
});

test("a copy is of what was asked for, whatever becomes of it", () => {
  const bytes = Uint8Array.from({ length: 4_000 }, (_, i) => i & 0xff);
  expect([...copied(bytes, 3, 6)]).toEqual([3, 4, 5]);
  expect(copied(bytes, 0, 0)).toHaveLength(0);
  const whole = copied(bytes);
  bytes.fill(0);
  expect(whole[255]).toBe(255);
  expect(whole).toHaveLength(4_000);
});

test("a block is left when it is full: it does not outlive what stands in it for long", () => {
  const buffers = new Set(Array.from({ length: 1_000 }, () => zeros(80).buffer));
  expect(buffers.size).toBeLessThanOrEqual(6);
  expect(buffers.size).toBeGreaterThanOrEqual(5);
});
