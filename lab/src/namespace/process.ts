import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { LabProcess } from "../lab.ts";

/** Kept of a program's standard error for failure texts. */
const COMPLAINT_LIMIT = 8_192;

/** `argv` is an nsenter command line: the program is its child, or itself where nsenter had nothing to fork for. */
export function startProcess(argv: readonly string[], env: Readonly<Record<string, string>>): LabProcess {
  const [file = "", ...args] = argv;
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
  let complaints = "";
  child.stderr.on(
    "data",
    (chunk: Buffer) => void (complaints = (complaints + chunk.toString()).slice(-COMPLAINT_LIMIT)),
  );
  child.stdin.on("error", () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const done = new Promise<number>((resolve) => {
    child.on("error", (error) => {
      complaints += error.message;
      resolve(-1);
    });
    child.on("close", (code) => resolve(code ?? -1));
  });
  return {
    line: async () => {
      const next = await lines.next();
      return next.done === true ? undefined : next.value;
    },
    finish: () => void child.stdin.end(),
    kill: (signal = "SIGKILL") => signalProgram(child, signal),
    done,
    complaints: () => complaints,
  };
}

function signalProgram(nsenter: ChildProcess, signal: NodeJS.Signals): void {
  const programs = nsenter.pid === undefined ? [] : childrenOf(nsenter.pid);
  if (programs.length === 0) nsenter.kill(signal);
  try {
    for (const pid of programs) process.kill(pid, signal);
  } catch {
    // It has ended before.
  }
}

/** Pids of a process's children; empty once it is gone. */
export function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    return [];
  }
}
