/**
 * `npm run test:containers [-- [--all] [-t PATTERN] [FILE...]]`: builds the images, runs a site and the lab in them, and
 * compares the machine before and after, also when it is told to end. It takes minutes, needs root, and says so where it
 * cannot run; with CI set that is a failure. `--all` runs every drill, `-t` only the tests of such names; `--prepare` only
 * makes images and containerlab, beside other work.
 */
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { CI, closingLine, counts, readReport, reportFile, ROOT, vitestArguments } from "../report.ts";
import { sweep } from "./engine.ts";
import { differences, machineState } from "./machine.ts";
import { Processes } from "./processes.ts";

const OPTIONS = {
  all: { type: "boolean" },
  prepare: { type: "boolean" },
  test: { type: "string", short: "t" },
} as const;
const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
const PROJECT = "containers";
/** Everything, base images and containerlab from nothing included. */
const LIMIT_MS = values.all === true ? 3_000_000 : 1_500_000;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The line that `npm test` closes with, for these tests. */
function tell(ok: boolean): boolean {
  const found = counts([{ ok, report: readReport(PROJECT) }], CI);
  for (const line of found.skipped) say(`not run here: ${line}`);
  say(closingLine(found, CI));
  return found.failed === 0 && found.passed > 0;
}

if (process.platform !== "linux" || process.getuid?.() !== 0) {
  say("the container tests run an engine in namespaces of their own: run them as root on Debian");
  process.exit(CI ? 1 : 0);
}
mkdirSync(dirname(reportFile(PROJECT)), { recursive: true });
rmSync(reportFile(PROJECT), { force: true });
const before = await machineState();
const processes = new Processes(ROOT, say);
const command = values.prepare
  ? [process.execPath, join(import.meta.dirname, "prepare.ts")]
  : ["vitest", ...vitestArguments(PROJECT), ...(values.test === undefined ? [] : ["-t", values.test]), ...positionals];
const ran = await processes.run(command, LIMIT_MS, values.all === true ? { STITCH_ALL_DRILLS: "1" } : {});
const left = await sweep().then(
  () => [],
  (error: Error) => [error.message],
);
const changed = [...differences(before, await machineState()), ...left];
for (const line of changed) say(`the machine was changed: ${line}`);
if (changed.length === 0) say("the machine is as it was");
const ok = ran && changed.length === 0;
process.exit((values.prepare ? ok : tell(ok)) ? 0 : 1);
