import { type ChildProcess, spawn } from "node:child_process";

/** A program with all that it starts: one group, so that one signal ends them all. */
export class Processes {
  readonly #folder: string;
  readonly #say: (line: string) => void;
  #told = false;
  #child: ChildProcess | undefined;

  /** From now on who tells this process to end, ends the program, and nothing else. */
  constructor(folder: string, say: (line: string) => void) {
    this.#folder = folder;
    this.#say = say;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => this.#end(`told by ${signal}`));
  }

  /** True when it ended by itself, in time and with 0. */
  run(
    [file = "", ...args]: readonly string[],
    limitMs: number,
    env: Readonly<Record<string, string>>,
  ): Promise<boolean> {
    if (this.#told) return Promise.resolve(false);
    const argv = ["--pdeathsig", "KILL", file, ...args]; // who is killed itself cannot end others
    const options = { cwd: this.#folder, env: { ...process.env, ...env }, detached: true } as const;
    const child = spawn("setpriv", argv, { ...options, stdio: ["ignore", "inherit", "inherit"] });
    this.#child = child;
    const timer = setTimeout(() => this.#end(`not done in ${limitMs / 1_000} s`), limitMs);
    return new Promise((resolve) => {
      child.on("error", (failure) => {
        this.#say(`setpriv: ${failure.message}`);
        resolve(false);
      });
      child.on("close", (code) => {
        clearTimeout(timer);
        resolve(code === 0 && !this.#told);
      });
    });
  }

  #end(why: string): void {
    if (this.#told) return;
    this.#told = true;
    this.#say(`containers: ${why}: ending everything`);
    if (this.#child?.pid === undefined || this.#child.exitCode !== null) return;
    process.kill(-this.#child.pid, "SIGKILL");
  }
}
