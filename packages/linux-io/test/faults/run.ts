import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const MAIN = join(import.meta.dirname, "main.ts");
/** A scenario that hangs is a failure; machines that build something else at the same time are slow. */
const LONGEST_MS = 60_000;

export interface Surroundings {
  /** Goes before `node`, as in `unshare --net`. */
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs one scenario of main.ts in a process of its own and returns what it printed. */
export function scenario(name: string, { wrapper = [], env = {} }: Surroundings = {}): Promise<unknown> {
  const [command = "", ...args] = [...wrapper, process.execPath, MAIN, name];
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: LONGEST_MS, env: { ...process.env, ...env } }, (failure, stdout, stderr) => {
      if (failure === null) resolve(JSON.parse(stdout));
      else reject(new Error(`${name}: ${failure.message}\n${stdout}${stderr}`));
    });
  });
}

/** Environment of a process whose kernel has troubles; see faulty-kernel.c. */
export function faultyKernel(faults: "some" | "never" | "reads"): Record<string, string> {
  library ??= compile();
  const preload = [process.env["LD_PRELOAD"], library].filter((each) => each !== undefined && each !== "").join(" ");
  return { LD_PRELOAD: preload, FAULTS: faults };
}

let library: string | undefined;

function compile(): string {
  const output = join(mkdtempSync(join(tmpdir(), "stitch-faults-")), "faulty-kernel.so");
  execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", output, join(import.meta.dirname, "faulty-kernel.c"), "-ldl"]);
  return output;
}

export function forgetFaultyKernel(): void {
  if (library !== undefined) rmSync(dirname(library), { recursive: true, force: true });
  library = undefined;
}
