/**
 * `npm test`: fetches the peers that the tests speak to, then types, lint, format, and every test there is; closes with
 * the plain line `N passed, N failed`. With CI set, a skipped test is a failure.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "node:child_process";

const ROOT = join(import.meta.dirname, "..");
const RESULTS = join(ROOT, ".cache", "test-results");
const CI = process.env["CI"] !== undefined && process.env["CI"] !== "";

/** What vitest's JSON reporter says, as far as it is used here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], { cwd: ROOT, stdio: "inherit" });
    child.on("error", (failure) => {
      say(`${command}: ${failure.message}`);
      resolve(1);
    });
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** One step with its time; a failure is remembered and the next step still runs, so that one run tells all. */
async function step(name: string, command: string, args: readonly string[]): Promise<boolean> {
  say(`\n== ${name}`);
  const began = performance.now();
  const code = await run(command, args);
  const took = ((performance.now() - began) / 1_000).toFixed(1);
  say(code === 0 ? `== ${name}: ok in ${took} s` : `== ${name}: FAILED in ${took} s`);
  return code === 0;
}

async function vitest(project: string): Promise<{ ok: boolean; report: Report | undefined }> {
  const file = join(RESULTS, `${project}.json`);
  const args = ["run", "--project", project, "--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const ok = await step(`tests: ${project}`, "vitest", args);
  return { ok, report: readReport(file) };
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined; // vitest did not get so far; its exit code says so too
  }
}

function tellSkipped(reports: readonly Report[]): number {
  const skipped = reports.flatMap(({ testResults }) =>
    testResults.flatMap(({ name, assertionResults }) =>
      assertionResults
        .filter(({ status }) => status !== "passed" && status !== "failed")
        .map((test) => `${name.replace(`${ROOT}/`, "")}: ${test.fullName}`),
    ),
  );
  if (skipped.length > 0) say(`\nNot run here (${CI ? "a failure in CI" : "the tests say why"}):`);
  for (const line of skipped) say(`  ${line}`);
  return skipped.length;
}

rmSync(RESULTS, { recursive: true, force: true });
mkdirSync(RESULTS, { recursive: true });
// Outside CI a machine without apt still runs what it can: the tests that need a peer say that it is missing.
const fetched = await step("fetch peers", process.execPath, ["test/peers/src/main.ts"]);
const checks = [
  fetched || !CI,
  await step("types", "tsc", ["-b"]),
  await step("lint", "oxlint", ["--deny-warnings"]),
  await step("format", "oxfmt", ["--check", "."]),
];
const suites = [await vitest("unit"), await vitest("system")];
const reports = suites.flatMap(({ report }) => (report === undefined ? [] : [report]));
const skipped = tellSkipped(reports);
const passed = reports.reduce((sum, { numPassedTests }) => sum + numPassedTests, 0);
const failedTests = reports.reduce((sum, { numFailedTests }) => sum + numFailedTests, 0);
const brokenSuites = suites.filter(({ ok, report }) => !ok && (report?.numFailedTests ?? 0) === 0).length;
const failedChecks = checks.filter((ok) => !ok).length;
const failed = failedTests + brokenSuites + failedChecks + (CI && skipped > 0 ? skipped : 0);
say("");
say(`${passed} passed, ${failed} failed${!CI && skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
