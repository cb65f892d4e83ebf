import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { execa } from "execa";

/** Server and load have a core each, so that neither's scheduling is the other's figure. */
const SERVER_CORE = "0";
const LOAD_CORE = "1";
const START_LIMIT_MS = 20_000;

/** One that is measured: how its process is started, and what proves that it is ready. */
export interface Contestant {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

/** A started contestant; the port is the first line that it printed. */
export class Running {
  readonly name: string;
  readonly port: number;
  readonly #child: ChildProcess;

  static async start({ name, command }: Contestant): Promise<Running> {
    const child = spawn("taskset", ["-c", SERVER_CORE, ...command], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      return new Running(name, await firstNumber(name, child), child);
    } catch (failure) {
      child.kill("SIGKILL");
      throw failure;
    }
  }

  private constructor(name: string, port: number, child: ChildProcess) {
    this.name = name;
    this.port = port;
    this.#child = child;
  }

  /** CPU time of every thread of the process so far, nanoseconds: user and system, as the scheduler accounts it. */
  cpuNanoseconds(): number {
    const tasks = `/proc/${this.#child.pid}/task`;
    const used = (task: string): number => Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]);
    return readdirSync(tasks).reduce((sum, task) => sum + used(task), 0);
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, "exit");
    if (this.#child.kill("SIGKILL")) await gone;
  }
}

async function firstNumber(name: string, child: ChildProcess): Promise<number> {
  const limit = AbortSignal.timeout(START_LIMIT_MS);
  const [line] = (await once(createInterface({ input: child.stdout as Readable }), "line", { signal: limit })) as [
    string,
  ];
  const port = Number(line);
  if (!Number.isInteger(port) || port <= 0) throw new Error(`${name} printed "${line}" instead of its port`);
  return port;
}

/** What the load saw. */
export interface Load {
  readonly sent: number;
  readonly received: number;
  readonly milliseconds: number;
}

/** Runs a load program on the other core; it prints sent, received and milliseconds. */
export async function load(program: string, args: readonly string[]): Promise<Load> {
  const { stdout } = await execa("taskset", ["-c", LOAD_CORE, program, ...args]);
  const [sent = Number.NaN, received = Number.NaN, milliseconds = Number.NaN] = stdout.split(" ").map(Number);
  if (!(received > 0)) throw new Error(`the load got no answer: "${stdout}"`);
  return { sent, received, milliseconds };
}
