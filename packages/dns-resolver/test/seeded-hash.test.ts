import { expect, test } from "vitest";
import { hashDone, hashOctet } from "../src/seeded-hash.ts";

function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i += 1) hash = hashOctet(hash, text.charCodeAt(i));
  return hashDone(hash);
}

/** Pairs of names that have one hash by this seed. */
function pairs(seed: number): [string, string][] {
  const seen = new Map<number, string>();
  const found: [string, string][] = [];
  for (let n = 0; n < 400_000; n += 1) {
    const name = `${Math.imul(n, 0x9e_37_79_b1).toString(36)}${Math.imul(n, 0x85_eb_ca_6b).toString(36)}.example`;
    const hash = hashOf(name, seed);
    const other = seen.get(hash);
    if (other !== undefined) found.push([other, name]);
    seen.set(hash, name);
  }
  return found;
}

// What can be prepared for one seed must be worth nothing by another, whatever the two have in common.
test.each([0x1234_5678, 7, 0xffff_ff00])(
  "names of one hash by seed %i have two by seeds with the same low octet",
  (seed) => {
    const found = pairs(seed);
    expect(found.length).toBeGreaterThan(3); // by chance there are some 19
    const others = [seed ^ 0x100, seed ^ 0x5500, seed ^ 0x8000_0000, seed ^ 0x00a5_a500];
    for (const other of others) {
      const same = found.filter(([a, b]) => hashOf(a, other) === hashOf(b, other));
      expect(same).toEqual([]);
    }
  },
);

test("all low bits are used, as of a table's buckets", () => {
  const buckets = new Uint32Array(4_096);
  for (let n = 0; n < 40_960; n += 1) {
    const bucket = hashOf(`n${n}.test`, 99) & 4_095;
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  expect(Math.max(...buckets)).toBeLessThan(40);
  expect(buckets.filter((count) => count === 0).length).toBeLessThan(10);
});
