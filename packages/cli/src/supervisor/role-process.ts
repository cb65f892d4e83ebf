import { spawn, type ChildProcess } from "node:child_process";
import { milliseconds, seconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";
import { EXIT } from "@stitch/health";

const BACKOFF_MIN: Duration = milliseconds(250);
const BACKOFF_MAX: Duration = seconds(10);
/** A role that has lived this long has earned a fresh start of its back-off. */
const SETTLED: Duration = seconds(10);
/** Longest line taken from a role's output; a role gone mad must not fill the supervisor's memory. */
const LONGEST_LINE = 64 * 1_024;

export interface RoleProcessOptions {
  readonly name: string;
  readonly argv: readonly string[];
  readonly clock: Clock;
  readonly onLine: (name: string, line: string) => void;
  readonly onChange: (role: RoleProcess, what: RoleChange) => void;
}

export type RoleChange =
  | { readonly kind: "started"; readonly pid: number }
  | {
      readonly kind: "exited";
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
      readonly restartIn: Duration | undefined;
    }
  /** The role says that a person must act (exit code 2) before it ever ran. */
  | { readonly kind: "unusable" };

/** One role as a child process: started, restarted with back-off, stopped. */
export class RoleProcess {
  readonly name: string;
  readonly #options: RoleProcessOptions;
  #child: ChildProcess | undefined;
  #restart: Timer | undefined;
  #backoff: Duration = BACKOFF_MIN;
  #startedAt: Instant;
  #restarts = 0;
  #settledOnce = false;
  #stopping = false;
  #ended: (() => void) | undefined;

  constructor(options: RoleProcessOptions) {
    this.#options = options;
    this.name = options.name;
    this.#startedAt = options.clock.now();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  start(): void {
    const { clock, onLine, onChange } = this.#options;
    this.#startedAt = clock.now();
    const child = this.#spawned();
    if (child === undefined) return;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) eachLine(stream, (line) => onLine(this.name, line));
    }
    child.on("error", (failure) => onLine(this.name, failure.message));
    child.on("exit", (code, signal) => this.#exited(code, signal));
    onChange(this, { kind: "started", pid: child.pid ?? 0 });
  }

  /** Undefined when there is no process: the machine may have run out of something, so that is tried again like any exit. */
  #spawned(): ChildProcess | undefined {
    const failed = (failure: unknown): undefined => {
      this.#options.onLine(this.name, `could not be started: ${(failure as Error).message}`);
      this.#exited(null, null);
    };
    try {
      // Detached: Ctrl-C reaches the supervisor alone, which stops the roles in order. The channel tells a role when the
      // supervisor is gone, so that a killed supervisor leaves no orphans.
      const stdio = ["ignore", "pipe", "pipe", "ipc"] as const;
      const child = spawn(process.execPath, [...this.#options.argv], { stdio: [...stdio], detached: true });
      if (child.pid !== undefined) return child;
      child.once("error", failed);
      return undefined;
    } catch (failure) {
      return failed(failure);
    }
  }

  /** SIGTERM, and SIGKILL after `limit`; resolves when the process is gone. */
  async stop(limit: Duration): Promise<void> {
    this.#stopping = true;
    this.#restart?.cancel();
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => void (this.#ended = resolve));
    child.kill("SIGTERM");
    const killer = this.#options.clock.after("stop-limit", limit, () => child.kill("SIGKILL"));
    await ended;
    killer.cancel();
  }

  #exited(code: number | null, signal: NodeJS.Signals | null): void {
    const { clock, onChange } = this.#options;
    this.#child = undefined;
    this.#ended?.();
    const lived = clock.now() - this.#startedAt;
    this.#settledOnce ||= lived >= SETTLED;
    if (lived >= SETTLED) this.#backoff = BACKOFF_MIN;
    if (this.#stopping) return onChange(this, { kind: "exited", code, signal, restartIn: undefined });
    if (code === EXIT.unusable && !this.#settledOnce && this.#restarts === 0)
      return onChange(this, { kind: "unusable" });
    const restartIn = this.#backoff;
    this.#backoff = Math.min(BACKOFF_MAX, this.#backoff * 2) as Duration;
    this.#restart = clock.after(`restart-${this.name}`, restartIn, () => {
      this.#restarts += 1;
      this.start();
    });
    onChange(this, { kind: "exited", code, signal, restartIn });
  }
}

function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(-LONGEST_LINE);
    for (const line of lines) onLine(line);
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}
