/** What vitest's JSON reporter says, as far as the line `N passed, N failed` needs it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT: string = join(import.meta.dirname, "..");
/** A report for each project that ran. */
export const RESULTS: string = join(ROOT, ".cache/test-results");
/** In CI a test that is skipped has failed. */
export const CI: boolean = process.env["CI"] !== undefined && process.env["CI"] !== "";

export interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

export interface Outcome {
  /** The tests' process ended with 0. */
  readonly ok: boolean;
  /** Undefined when it did not get so far as to write one. */
  readonly report: Report | undefined;
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** `FILE: TEST` of what did not run. */
  readonly skipped: readonly string[];
}

export function reportFile(project: string): string {
  return join(RESULTS, `${project}.json`);
}

/** Arguments that make vitest run a project, and write its report. */
export function vitestArguments(project: string): readonly string[] {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile(project)}`];
  return ["run", "--project", project, ...reporters];
}

export function readReport(project: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(reportFile(project), "utf8")) as Report;
  } catch {
    return undefined;
  }
}

/** A suite that ended badly without a failed test counts as one; so does, in CI, a test that did not run. */
export function counts(outcomes: readonly Outcome[], ci: boolean): Counts {
  const reports = outcomes.flatMap(({ report }) => (report === undefined ? [] : [report]));
  const sum = (of: (report: Report) => number): number => reports.reduce((total, report) => total + of(report), 0);
  const broken = outcomes.filter(({ ok, report }) => !ok && (report?.numFailedTests ?? 0) === 0).length;
  const skipped = reports.flatMap(skippedIn);
  const failed = sum((report) => report.numFailedTests) + broken + (ci ? skipped.length : 0);
  return { passed: sum((report) => report.numPassedTests), failed, skipped };
}

function skippedIn({ testResults }: Report): readonly string[] {
  return testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status !== "passed" && status !== "failed")
      .map((test) => `${name.replace(`${ROOT}/`, "")}: ${test.fullName}`),
  );
}

/** The last line of a run: `N passed, N failed`. */
export function closingLine({ passed, failed, skipped }: Counts, ci: boolean): string {
  return `${passed} passed, ${failed} failed${!ci && skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`;
}
