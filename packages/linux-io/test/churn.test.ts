import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadNative } from "../src/index.ts";

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loadNative().native === undefined;
const CHURN = join(import.meta.dirname, "churn", "main.ts");
const SECONDS = 15;
/** In five seconds of a process that is still warming up; ten minutes of the same with a narrow bound: test/long. */
const MOST_GROWTH = 24 * 2 ** 20;

describe.skipIf(missing)("churn", () => {
  test("opening, sending, closing, connecting and ending threads for a while leave nothing open", async () => {
    const stdout = await new Promise<string>((resolve, reject) => {
      const env = { ...process.env, MALLOC_ARENA_MAX: "2" };
      execFile(process.execPath, ["--expose-gc", CHURN, String(SECONDS)], { env }, (failure, output) =>
        failure === null ? resolve(output) : reject(failure),
      );
    });
    const seen = JSON.parse(stdout) as Record<string, number>;
    expect(seen["left"]).toBe(0);
    for (const what of ["rounds", "datagrams", "answers", "connections", "refused", "abandoned", "workers"]) {
      expect.soft(seen[what], what).toBeGreaterThan(0);
    }
    expect(seen["grown"]).toBeLessThan(MOST_GROWTH);
  }, 120_000);
});
