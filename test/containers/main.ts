/**
 * `npm run test:containers [-- [--all-drills] [FILE...]]`: builds the images, runs a site and the lab in them, and compares the machine before and
 * after. It takes minutes, needs root, and says so where it cannot run; with CI set that is a failure.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { differences, machineState } from "./machine.ts";

const ROOT = join(import.meta.dirname, "../..");
const CI = process.env["CI"] !== undefined && process.env["CI"] !== "";
const { values, positionals } = parseArgs({ options: { "all-drills": { type: "boolean" } }, allowPositionals: true });
const ALL_DRILLS = values["all-drills"] === true;
/** Everything, base images and containerlab from nothing included. */
const LIMIT_MS = ALL_DRILLS ? 2_400_000 : 1_500_000;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function vitest(): Promise<number> {
  return new Promise((resolve) => {
    const argv = ["--pdeathsig", "KILL", "vitest", "run", "--project", "containers", ...positionals];
    const env = ALL_DRILLS ? { ...process.env, STITCH_ALL_DRILLS: "1" } : process.env;
    const child = spawn("setpriv", argv, { cwd: ROOT, env, stdio: "inherit" });
    const timer = setTimeout(() => {
      say(`containers: not done in ${LIMIT_MS / 1_000} s; ending it`);
      child.kill("SIGKILL");
    }, LIMIT_MS);
    child.on("error", (failure) => {
      say(`setpriv: ${failure.message}`);
      resolve(1);
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      resolve(code ?? 1);
    });
  });
}

if (process.platform !== "linux" || process.getuid?.() !== 0) {
  say("the container tests run an engine in namespaces of their own: run them as root on Debian");
  process.exit(CI ? 1 : 0);
}
const before = await machineState();
const code = await vitest();
const changed = differences(before, await machineState());
for (const line of changed) say(`the machine was changed: ${line}`);
say(changed.length === 0 ? "the machine is as it was" : "");
process.exit(code === 0 && changed.length === 0 ? 0 : 1);
