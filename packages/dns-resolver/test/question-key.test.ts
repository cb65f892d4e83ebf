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
