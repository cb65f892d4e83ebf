import fc from "fast-check";
import { expect, test } from "vitest";
import { QuestionKey } from "../src/upstream/question-key.ts";
import { parseName } from "../src/wire/name.ts";
import { adoptName, Query } from "../src/wire/query.ts";
import { CLASS } from "../src/wire/registry.ts";
import { keyOf } from "./questions.ts";

test("two are the same when name, type, tag and passing are", () => {
  const asked = fc.record({
    name: fc.constantFrom("a.test", "b.test", "a.b.test", "ab.test"),
    type: fc.constantFrom(1, 28),
    tag: fc.constantFrom(0, 1, -2),
    passes: fc.boolean(),
  });
  fc.assert(
    fc.property(asked, asked, (one, other) => {
      const [first, second] = [one, other].map(({ name, type, tag, passes }) => {
        const query = new Query();
        adoptName(query, parseName(name) as Uint8Array, type, CLASS.IN);
        return new QuestionKey(query, tag, passes);
      }) as [QuestionKey, QuestionKey];
      const same = JSON.stringify(one) === JSON.stringify(other);
      expect(first.is(second)).toBe(same);
      expect(second.is(first)).toBe(same);
      expect(!same || first.hash === second.hash).toBe(true);
    }),
  );
});

// A stranger does not know the seed, and need not if he can prepare names that have one hash whatever it is: of FNV-1a
// the low octet of the seed alone decides which do, so that one in 256 processes has what he has prepared for.
test("names that have the same hash by one seed have not by another", () => {
  const NAMES = 400_000;
  const query = new Query();
  const name = Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const octets = new DataView(name.buffer, 1);
  // A tag goes into the hash as the seed does; these two leave its low octet as it is.
  const hashes = (n: number): [number, number] => {
    octets.setUint32(0, Math.imul(n, 0x9e_37_79_b1) >>> 0);
    octets.setUint32(4, Math.imul(n, 0x85_eb_ca_6b) >>> 0);
    adoptName(query, name, 1, CLASS.IN);
    return [new QuestionKey(query, 0).hash, new QuestionKey(query, 256).hash];
  };
  const byHash = new Map<number, number>();
  let [same, sameByBoth] = [0, 0];
  for (let n = 0; n < NAMES; n += 1) {
    const [one, other] = hashes(n);
    const earlier = byHash.get(one);
    byHash.set(one, n);
    if (earlier === undefined) continue;
    same += 1;
    if (hashes(earlier)[1] === other) sameByBoth += 1;
  }
  expect(same).toBeLessThan(100); // 19 by chance
  expect(sameByBoth).toBe(0);
});

test("what is kept stays what it was when the query holds the next question", () => {
  const query = new Query();
  const ask = (name: string): QuestionKey => {
    adoptName(query, parseName(name) as Uint8Array, 1, CLASS.IN);
    return new QuestionKey(query, 1);
  };
  const kept = ask("first.test");
  const question = kept.kept();
  const alone = kept.alone();
  const next = ask("other.test");
  expect(kept.is(keyOf("first.test"))).toBe(true);
  expect(alone.is(kept)).toBe(true);
  expect(kept.is(next)).toBe(false);
  expect(Buffer.from(question)).toEqual(Buffer.from("\u0005first\u0004test\0\0\u0001\0\u0001", "latin1"));
});
