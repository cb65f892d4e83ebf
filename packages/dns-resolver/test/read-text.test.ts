import { createHash } from "node:crypto";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readingFile } from "../src/local/read-text.ts";
import { readPolicies } from "../src/policy/load-policies.ts";
import { atOnce, type Steps } from "../src/sliced.ts";

const MEBIBYTE = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), "stitch-read-"));
afterAll(() => rmSync(folder, { recursive: true }));

function stepsOf<T>(work: Steps<T>): { steps: number; value: T } {
  for (let steps = 1; ; steps += 1) {
    const { done, value } = work.next();
    if (done === true) return { steps, value };
  }
}

test("a file is read as it is, in many steps", () => {
  const file = join(folder, "text");
  const text = "a line with ä, € and 😀\n".repeat(100_000);
  writeFileSync(file, text);
  const hash = createHash("sha256");
  const { steps, value } = stepsOf(readingFile(file, undefined, (octets) => hash.update(octets)));
  expect(value).toEqual({ file, text });
  expect(hash.digest("hex")).toBe(createHash("sha256").update(text).digest("hex"));
  expect(steps).toBeGreaterThan((8 * Buffer.byteLength(text)) / MEBIBYTE);
  writeFileSync(file, "");
  expect(atOnce(readingFile(file))).toEqual({ file, text: "" });
});

// Beside a worker that is flooded on the same core the main thread has a part of it only, and the lease lasts for half a second.
test("a list is, and its digest worked out too", () => {
  const file = join(folder, "list");
  writeFileSync(file, `# ${"x".repeat(4 * MEBIBYTE)}\nads.example\n`);
  const { steps, value } = stepsOf(readPolicies([{ file, kind: "domains", because: "blocked" }], (path) => path, 1));
  expect(value.lists[0]?.names).toBe(1);
  expect(steps).toBeGreaterThan(4 * 8);
});

test("a file that grows while it is read is refused: its end may be half a line", () => {
  const file = join(folder, "grows");
  writeFileSync(file, "a line\n".repeat(50_000));
  const reading = readingFile(file);
  reading.next();
  appendFileSync(file, "another");
  expect(() => atOnce(reading)).toThrow(`${file}: has grown while it was read`);
});
