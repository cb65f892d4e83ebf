import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** How long those who were told to end may take to put the machine back as it was; then they are killed. */
const LAST_WORDS_MS = 60_000;

/** The programs that a runner has started. Whoever ends the runner ends them first, and waits until they have cleaned up. */
export class Children {
  readonly #folder: string;
  readonly #running = new Set<ChildProcess>();
  #ending = false;

  constructor(folder: string) {
    this.#folder = folder;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => this.#end());
  }

  /** Its exit code; 1 when it could not be started or was killed. Its output is the runner's, or goes to `log`. */
  run(command: string, args: readonly string[], log?: string): Promise<number> {
    const output = log === undefined ? ("inherit" as const) : openSync(log, "w");
    // No terminal for a program in the background, and none in CI.
    const child = spawn(command, [...args], { cwd: this.#folder, stdio: ["ignore", output, output] });
    if (typeof output === "number") closeSync(output);
    this.#running.add(child);
    return new Promise((resolve) => {
      child.on("error", (failure) => {
        process.stdout.write(`${command}: ${failure.message}\n`);
        this.#ended(child, 1, resolve);
      });
      child.on("exit", (code) => this.#ended(child, code ?? 1, resolve));
    });
  }

  #ended(child: ChildProcess, code: number, resolve: (code: number) => void): void {
    this.#running.delete(child);
    if (!this.#ending) resolve(code);
    else if (this.#running.size === 0) process.exit(1);
  }

  #end(): void {
    if (this.#running.size === 0) process.exit(1);
    this.#ending = true;
    for (const child of this.#running) child.kill("SIGTERM");
    setTimeout(() => {
      for (const child of this.#running) child.kill("SIGKILL");
    }, LAST_WORDS_MS).unref();
  }
}
