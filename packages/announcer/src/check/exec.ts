import { milliseconds, type Clock, type Duration } from "@stitch/clock";
import { execa } from "execa";
import { failed, type PollResult, type Probe } from "./observer.ts";

/** Of what a command prints, this much of its end is kept, in bytes; a command that prints for ever costs no more. */
export const OUTPUT_KEPT = 4 * 1_024;

export interface ExecCheck {
  /** Absolute path and arguments; no shell reads them. */
  readonly command: readonly [string, ...string[]];
  /** The exit code that means "serves, but lacks something". */
  readonly degradedExit: number | undefined;
}

/** A child that became a daemon keeps the pipe open; what the command itself wrote is there sooner. */
const PIPE_WAIT: Duration = milliseconds(100);

/**
 * Runs a command: exit code 0 passes. It gets a process group of its own, so that at the timeout its children go too;
 * what it printed last is the detail.
 */
export function execProbe({ command: [file, ...args], degradedExit }: ExecCheck, clock: Clock): Probe {
  return async (signal) => {
    const child = start(file, args);
    let output = Buffer.alloc(0);
    child.all.on("data", (piece: Buffer) => void (output = lastOf(output, piece)));
    const drained = new Promise<void>((resolve) => void child.all.once("close", resolve));
    const kill = (): void => killGroup(child.pid);
    signal.addEventListener("abort", kill, { once: true });
    try {
      const { code, by } = await exitOf(child, file);
      await Promise.race([drained, new Promise<void>((late) => void clock.after("exec-output", PIPE_WAIT, late))]);
      return judge(code, by, textOf(output), degradedExit);
    } finally {
      signal.removeEventListener("abort", kill);
      child.all.destroy();
    }
  };
}

function start(file: string, args: readonly string[]) {
  return execa(file, args, { stdin: "ignore", all: true, buffer: false, detached: true, reject: false });
}

type Child = ReturnType<typeof start>;

interface Exit {
  readonly code: number | null;
  readonly by: string | null;
}

/** At the exit itself; a command that cannot be started has none, and execa's result says why. */
function exitOf(child: Child, file: string): Promise<Exit> {
  const unstarted = child.then(({ code, exitCode, signal, originalMessage }): Exit => {
    if (exitCode === undefined && signal === undefined) throw new Error(`${file}: ${code ?? originalMessage}`);
    return { code: exitCode ?? null, by: signal ?? null };
  });
  const exited = new Promise<Exit>((resolve) => {
    child.nodeChildProcess.once("exit", (code, by) => resolve({ code, by }));
  });
  return Promise.race([exited, unstarted]);
}

function judge(code: number | null, by: string | null, output: string, degradedExit: number | undefined): PollResult {
  const said = output === "" ? "" : `: ${output}`;
  if (code === 0) return { verdict: "pass", detail: output === "" ? "exit code 0" : output };
  if (code !== null && code === degradedExit) return { verdict: "degraded", detail: `exit code ${code}${said}` };
  return failed(code === null ? `ended by ${by ?? "a signal"}${said}` : `exit code ${code}${said}`);
}

function lastOf(kept: Buffer, piece: Buffer): Buffer<ArrayBuffer> {
  const all = Buffer.concat([kept, piece]);
  return Buffer.from(all.subarray(Math.max(0, all.length - OUTPUT_KEPT)));
}

/** The last line, which is where commands say what is wrong; control characters would reach a terminal. */
function textOf(output: Buffer): string {
  const lines = output.toString("utf8").trim().split("\n");
  return (lines.at(-1) ?? "").replaceAll(/\p{Cc}/gu, " ").trim();
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it has ended meanwhile
  }
}
