import { expect, test } from "vitest";
import { fitting, loadNative, type Native } from "../src/native.ts";

test("an addon that was built before its code changed is not used, and says what to do", () => {
  const { native } = loadNative();
  const older = { ...native, hugePages: undefined };
  expect(fitting(older as unknown as Parameters<typeof fitting>[0])).toEqual({
    native: undefined,
    why: "the addon is older than this code; build it again with `npm run build:addon`",
  });
});

test("the one that fits is used as it is", () => {
  const all = new Proxy({}, { get: () => () => 0 }) as Native;
  expect(fitting(all).native).toBe(all);
});
