import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadNative, preferHugePages } from "../src/index.ts";

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loadNative().native === undefined;
const MEBIBYTE = 2 ** 20;

/** Bytes of this process that the kernel was told about (proc(5), VmFlags: hg). */
function advised(): number {
  const mappings = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const told = mappings.filter((text) => /^VmFlags:.* hg\b/m.test(text));
  return told.reduce((sum, text) => sum + Number(/^Size:\s+(\d+) kB/m.exec(text)?.[1]) * 1_024, 0);
}

test.skipIf(missing)("the kernel is told about a table, and what stands in it stays", () => {
  const before = advised();
  const table = new Uint8Array(24 * MEBIBYTE);
  table[12_345_678] = 77;
  const refused = preferHugePages(table);
  // A kernel without huge pages says EINVAL, and then there is nothing to see.
  const least = refused === "EINVAL" ? 0 : 23 * MEBIBYTE;
  expect(refused ?? "EINVAL").toBe("EINVAL");
  expect(advised() - before).toBeGreaterThanOrEqual(least);
  expect(table[12_345_678]).toBe(77);
});

test.skipIf(missing)("what is smaller than a page is left alone, and what is no array is a defect", () => {
  expect(preferHugePages(new Uint8Array(10))).toBeUndefined();
  expect(preferHugePages(new Uint8Array())).toBeUndefined();
  expect(() => preferHugePages("table" as never)).toThrow(/hugePages\(bytes\)/);
});
