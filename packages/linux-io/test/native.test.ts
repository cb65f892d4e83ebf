import { expect, test } from "vitest";
import { loadNative, usable, type Native } from "../src/native.ts";

test("an addon that was built from older sources is none, and a sentence says what to do", () => {
  const { native } = loadNative();
  expect(usable({ ...native, hugePages: undefined } as unknown as Partial<Native>)).toEqual({
    native: undefined,
    why: expect.stringMatching(/built from other sources \(no .*hugePages\); build it with `npm run build:addon`/),
  });
});
