import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { vi } from "vitest";

const PACKAGES = join(import.meta.dirname, "..", "packages");
/** A role proves itself before it serves: some hundred milliseconds, and on a busy machine more. */
const SERVES = { timeout: 60_000, interval: 20 };

/** What a test is told of a role's health. */
export interface Report {
  readonly phase: string;
  readonly verdict: string;
  readonly reasons: readonly { readonly code: string; readonly class: string; readonly detail: string }[];
}

/** A role of ours as a process of its own: its package's test/run-main.ts, or another script beside that, with a site file. */
export class RoleProcess {
  /** All that it has written so far. */
  output = "";
  /** Its exit code, or null when a signal has ended it. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  /** `before`: a program that starts it in its own place, with arguments. */
  constructor(packageName: string, file: string, script = "run-main.ts", before: readonly string[] = []) {
    const [program, ...argv] = [...before, process.execPath, join(PACKAGES, packageName, "test", script), file];
    this.#child = spawn(program ?? "", argv, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
    this.ended = new Promise((resolve) => void this.#child.once("close", resolve));
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when its log says that it serves. */
  async serving(): Promise<void> {
    const over = this.ended.then((code) => {
      throw new Error(`it has ended with ${code}: ${this.output}`);
    });
    const serves = vi.waitFor(() => {
      if (!this.output.includes('"phase":"serving"')) throw new Error(`does not serve: ${this.output}`);
    }, SERVES);
    await Promise.race([over, serves]);
  }

  /** How often its log says so. */
  times(text: string): number {
    return this.output.split(text).length - 1;
  }

  /** Asks it to read its file again, and resolves when the log says that it is `outcome`. */
  async reload(outcome: "reload done" | "reload refused" = "reload done"): Promise<void> {
    const before = this.times(outcome);
    this.signal("SIGHUP");
    await vi.waitFor(() => {
      if (this.times(outcome) === before) throw new Error(`no "${outcome}" in ${this.output}`);
    }, SERVES);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** For a script that takes orders. */
  send(order: object): void {
    this.#child.send(order);
  }

  /** Ends it as a supervisor does. */
  async stop(): Promise<void> {
    if (this.running) this.signal("SIGTERM");
    await this.ended;
  }

  /** Ends it now, whatever it does. */
  async end(): Promise<void> {
    if (this.running) this.signal("SIGKILL");
    await this.ended;
  }
}
