/**
 * `npm test`: fetches the peers that the tests speak to, then types, lint, format, and every test there is; closes with
 * the plain line `N passed, N failed`. With CI set, a skipped test is a failure. `-- --containers` adds what `npm run
 * test:containers` runs; its images are made beside the unit tests, so that nothing disturbs a test that measures times.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Children } from "./children.ts";
import { CI, closingLine, counts, type Outcome, readReport, RESULTS, ROOT, vitestArguments } from "./report.ts";

const NODE = process.execPath;
const PREPARATION_LOG = join(RESULTS, "containers-preparation.log");
const { values } = parseArgs({ options: { containers: { type: "boolean" } } });
const children = new Children(ROOT);

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One step with its time; a failure is remembered and the next step still runs, so that one run tells all. */
async function step(name: string, command: string, args: readonly string[]): Promise<boolean> {
  say(`\n== ${name}`);
  const began = performance.now();
  const code = await children.run(command, args);
  const took = ((performance.now() - began) / 1_000).toFixed(1);
  say(code === 0 ? `== ${name}: ok in ${took} s` : `== ${name}: FAILED in ${took} s`);
  return code === 0;
}

async function suite(project: string, command: string, args: readonly string[]): Promise<Outcome> {
  const ok = await step(`tests: ${project}`, command, args);
  return { ok, report: readReport(project) };
}

function vitest(project: string): Promise<Outcome> {
  return suite(project, "vitest", vitestArguments(project));
}

/** The container tests prepare by themselves what failed here; so this says what happened, and no more. */
async function prepared(preparation: Promise<number>): Promise<void> {
  say("\n== containers: preparation");
  const code = await preparation;
  say(readFileSync(PREPARATION_LOG, "utf8").trim());
  say(`== containers: preparation: ${code === 0 ? "ok" : "not done; the container tests try again"}`);
}

rmSync(RESULTS, { recursive: true, force: true });
mkdirSync(RESULTS, { recursive: true });
// Outside CI a machine without apt still runs what it can: the tests that need a peer say that it is missing.
const fetched = await step("fetch peers", NODE, ["test/peers/src/main.ts"]);
const preparation = values.containers
  ? children.run(NODE, ["test/containers/main.ts", "--prepare"], PREPARATION_LOG)
  : undefined;
const checks = [
  fetched || !CI,
  await step("types", "tsc", ["-b"]),
  await step("lint", "oxlint", ["--deny-warnings"]),
  await step("format", "oxfmt", ["--check", "."]),
];
const outcomes = [await vitest("unit")];
if (preparation !== undefined) await prepared(preparation);
outcomes.push(await vitest("system"));
if (values.containers) outcomes.push(await suite("containers", NODE, ["test/containers/main.ts"]));
const found = counts(outcomes, CI);
const failed = found.failed + checks.filter((ok) => !ok).length;
if (found.skipped.length > 0) say(`\nNot run here (${CI ? "a failure in CI" : "the tests say why"}):`);
for (const line of found.skipped) say(`  ${line}`);
say("");
say(closingLine({ ...found, failed }, CI));
process.exit(failed === 0 && found.passed > 0 ? 0 : 1);
