import { FakeClock } from "@stitch/clock/testing";
import type { KernelClock } from "@stitch/linux-io";
import { milliseconds } from "@stitch/clock";
import { expect, test } from "vitest";
import { KERNEL_STRATUM, KernelSource } from "../src/host-clock/kernel.ts";

const GOOD: KernelClock = {
  state: 0,
  status: 0x2001,
  offset: 250_000,
  frequency: 0,
  maximumError: 4_000,
  estimatedError: 100,
  precision: 1,
  tai: 37,
};

async function readingOf(kernel: KernelClock | string) {
  const clock = new FakeClock();
  clock.advance(milliseconds(7));
  const answer = await new KernelSource(() => kernel, clock).read();
  return { answer, clock };
}

test("a disciplined clock: the kernel's error bound and what is still to be slewed, both in seconds", async () => {
  const { answer, clock } = await readingOf(GOOD);
  expect(answer).toMatchObject({
    kind: "reading",
    reading: { at: clock.now(), leap: 0, stratum: KERNEL_STRATUM, rootDelay: 0, rootDispersion: 0.00425 },
  });
});

test("without STA_NANO the offset is in microseconds", async () => {
  const { answer } = await readingOf({ ...GOOD, status: 0x0001, offset: -4_000 });
  expect(answer).toMatchObject({ reading: { rootDispersion: 0.008 } });
});

test.each<[string, Partial<KernelClock>, number]>([
  ["TIME_ERROR", { state: 5 }, 3],
  ["STA_UNSYNC", { status: 0x40 }, 3],
  ["a leap second to come", { state: 1, status: 0x2011 }, 1],
  ["a second to be left out", { state: 2, status: 0x2021 }, 2],
])("%s is said as leap %s", async (_what, kernel, leap) => {
  const { answer } = await readingOf({ ...GOOD, ...kernel });
  expect(answer).toMatchObject({ reading: { leap } });
});

test("without the addon there is no reading but a sentence", async () => {
  const { answer } = await readingOf("the addon is not built");
  expect(answer).toEqual({ kind: "none", detail: "the addon is not built" });
});
