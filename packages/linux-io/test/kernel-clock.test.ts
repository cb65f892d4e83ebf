import { expect, test } from "vitest";
import { loadNative, readKernelClock } from "../src/index.ts";

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loadNative().native === undefined;

test.skipIf(missing)("the kernel's clock discipline is read", () => {
  const clock = readKernelClock();
  expect(clock?.state).toBeGreaterThanOrEqual(0);
  expect(clock?.state).toBeLessThanOrEqual(5);
  expect(clock?.maximumError).toBeGreaterThanOrEqual(0);
  const unsynchronised = ((clock?.status ?? 0) & 0x40) !== 0;
  expect(unsynchronised).toBe(clock?.state === 5);
});
