import { expect, test } from "vitest";
import { loadNative, monotonicNanoseconds, readKernelClock, realtimeNanoseconds } from "../src/index.ts";

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loadNative().native === undefined;

test.skipIf(missing)("the clocks are the kernel's", () => {
  const before = process.hrtime.bigint();
  const monotonic = monotonicNanoseconds() ?? 0n;
  const after = process.hrtime.bigint();
  expect(monotonic).toBeGreaterThanOrEqual(before);
  expect(monotonic).toBeLessThanOrEqual(after);
  const wall = Temporal.Now.instant().epochNanoseconds;
  const difference = Number((realtimeNanoseconds() ?? 0n) - wall) / 1e6;
  expect(difference).toBeGreaterThanOrEqual(0);
  expect(difference).toBeLessThan(1_000);
});

test.skipIf(missing)("the kernel's clock discipline is read", () => {
  const clock = readKernelClock();
  expect(clock?.state).toBeGreaterThanOrEqual(0);
  expect(clock?.state).toBeLessThanOrEqual(5);
  expect(clock?.maximumError).toBeGreaterThanOrEqual(0);
  const unsynchronised = ((clock?.status ?? 0) & 0x40) !== 0;
  expect(unsynchronised).toBe(clock?.state === 5);
});
