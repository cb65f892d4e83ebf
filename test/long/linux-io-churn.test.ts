import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const CHURN = join(import.meta.dirname, "..", "..", "packages", "linux-io", "test", "churn", "main.ts");
const SECONDS = 600;
/** Of the last third above the middle one, 200 s apart. A leak of 200 octets a round would be more. */
const MOST_GROWTH = 8 * 2 ** 20;

test("ten minutes of opening, sending, closing, connecting and ending threads leave memory flat and nothing open", async () => {
  const stdout = await new Promise<string>((resolve, reject) => {
    // Two arenas: with one per thread, the C library's own habits are larger than what is looked for.
    const env = { ...process.env, MALLOC_ARENA_MAX: "2" };
    execFile(process.execPath, ["--expose-gc", CHURN, String(SECONDS)], { env }, (failure, output) =>
      failure === null ? resolve(output) : reject(failure),
    );
  });
  const seen = JSON.parse(stdout) as Record<string, number>;
  expect(seen["rounds"]).toBeGreaterThan(1_000);
  expect(seen["workers"]).toBeGreaterThan(20);
  expect(seen["left"]).toBe(0);
  expect(seen["grown"]).toBeLessThan(MOST_GROWTH);
});
