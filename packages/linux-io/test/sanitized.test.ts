import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { loadNative } from "../src/index.ts";
import { buildSanitized, hasSanitizer, runSanitized } from "./sanitizers/sanitized.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && (loadNative().native === undefined || !hasSanitizer());

/** Every file that drives the addon. */
const SUITE = ["native-socket", "socket-set", "tcp-connect", "kernel-clock", "faults"];
const CHURN_SECONDS = 6;

describe.skipIf(missing)("under AddressSanitizer and UndefinedBehaviorSanitizer", () => {
  beforeAll(buildSanitized);

  test("it is the sanitized addon that is loaded", async () => {
    const { code, stdout } = await runSanitized([here("faults/main.ts"), "sharedObjects"], { leaks: false });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual([
      expect.stringContaining("libasan.so"),
      expect.stringContaining("build-sanitized"),
    ]);
  });

  test("the compliance suite and the faults are clean", async () => {
    const folder = mkdtempSync(join(tmpdir(), "stitch-sanitized-"));
    const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
    const report = join(folder, "report.json");
    const files = SUITE.map((name) => here(`${name}.test.ts`));
    const args = [vitest, "run", "--project", "unit", "--reporter=default", "--reporter=json"];
    const outcome = await runSanitized([...args, `--outputFile.json=${report}`, ...files], { leaks: false });
    if (outcome.code !== 0) throw new Error(`${outcome.stdout}${outcome.stderr}`);
    const seen = JSON.parse(readFileSync(report, "utf8")) as Record<string, number>;
    rmSync(folder, { recursive: true });
    expect(seen["numPassedTests"]).toBeGreaterThan(90);
    expect(seen).toMatchObject({ numFailedTests: 0, numFailedTestSuites: 0 });
  });

  test("opening, sending, closing and ending threads leak nothing", async () => {
    const args = ["--expose-gc", here("churn/main.ts"), String(CHURN_SECONDS)];
    const outcome = await runSanitized(args, { leaks: true });
    if (outcome.code !== 0) throw new Error(`${outcome.stdout}${outcome.stderr}`);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ left: 0 });
  });
});

function here(path: string): string {
  return join(import.meta.dirname, path);
}
