import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { placed, setOrdinary, setRealtime, threadOf, type Thread } from "./priority.ts";

/** Server and load have a core each, so that neither's scheduling is the other's figure. */
export const SERVER_CORE = "0";
export const LOAD_CORE = "1";
/** Where a server has more workers than that: load and server share what there is. */
export const BOTH_CORES = "0,1";
const MOST_LAST_WORDS = 5;
const START_LIMIT_MS = 20_000;
const LOAD_LIMIT_MS = 240_000;

/** One that is measured: how its process is started, and what proves that it is ready. */
export interface Contestant {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Where it serves and how that is seen; without it the port is the first line that it prints. */
  readonly serves?: { readonly port: number; readonly ready: (port: number) => Promise<boolean> };
}

/** What was started and has not been stopped: it ends with this process, however that ends. */
const started = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of started) killGroup(child);
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));

/** A started contestant. */
export class Running {
  readonly name: string;
  readonly port: number;
  readonly #child: ChildProcess;

  static async start({ name, command, env = {}, serves }: Contestant, cores: string = SERVER_CORE): Promise<Running> {
    if (serves !== undefined && (await serves.ready(serves.port)))
      throw new Error(`somebody else serves at port ${serves.port}: ${name} cannot be measured`);
    const [first, ...rest] = placed(cores, command);
    const child = spawn(first, rest, {
      stdio: ["ignore", serves === undefined ? "pipe" : "ignore", "pipe"],
      env: { ...process.env, ...env },
      detached: true, // a group of its own: what it starts ends with it
    });
    started.add(child);
    const words = lastWords(child);
    try {
      if (serves === undefined) return new Running(name, await firstNumber(name, child), child);
      await until(name, child, () => serves.ready(serves.port));
      return new Running(name, serves.port, child);
    } catch (failure) {
      killGroup(child);
      throw new Error([(failure as Error).message, ...words].join("\n  "), { cause: failure });
    }
  }

  private constructor(name: string, port: number, child: ChildProcess) {
    this.name = name;
    this.port = port;
    this.#child = child;
  }

  /** CPU time of every thread of its processes so far, nanoseconds: user and system, as the scheduler accounts it. */
  cpuNanoseconds(): number {
    return sumOf(this.#threads(), (thread) => Number(textOf(`${thread}/schedstat`).split(" ")[0]));
  }

  /** Memory that its processes have touched, bytes; what two of them share counts for each of them in part. */
  residentBytes(): number {
    return sumOf(processesFrom(this.#pid), (pid) => {
      const kilobytes = /^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1];
      return Number(kilobytes ?? 0) * 1_024;
    });
  }

  /** Something short with its threads realtime, but for those that gave way: what the rest of the machine does is not in times that it takes. */
  async urgently<T>(work: () => Promise<T>): Promise<T> {
    await setRealtime(this.#scheduled());
    try {
      return await work();
    } finally {
      await setOrdinary(this.#scheduled()); // also those that were started meanwhile, which are what their starter was
    }
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, "exit");
    if (killGroup(this.#child)) await gone;
    started.delete(this.#child);
  }

  get #pid(): number {
    return this.#child.pid ?? Number.NaN;
  }

  #scheduled(): Thread[] {
    return this.#threads()
      .map((thread) => threadOf(textOf(`${thread}/stat`)))
      .filter(({ tid }) => tid > 0);
  }

  #threads(): string[] {
    return processesFrom(this.#pid).flatMap(threadsOf);
  }
}

/** The last lines that it wrote to standard error, as they come: what is shown when it does not start. */
function lastWords({ stderr }: ChildProcess): readonly string[] {
  const lines: string[] = [];
  createInterface({ input: stderr as Readable }).on("line", (line) => {
    lines.push(line);
    if (lines.length > MOST_LAST_WORDS) lines.shift();
  });
  return lines;
}

/** False when it has ended already. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): boolean {
  if (pid === undefined || exitCode !== null || signalCode !== null) return false;
  process.kill(-pid, "SIGKILL");
  return true;
}

/** Empty when it has ended since it was listed. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function threadsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`);
}

/** A process and all that it has started. */
function processesFrom(pid: number): number[] {
  const children = threadsOf(pid).flatMap((thread) =>
    textOf(`${thread}/children`).split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(processesFrom)];
}

function sumOf<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((sum, each) => sum + of(each), 0);
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

async function until(name: string, child: ChildProcess, ready: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + START_LIMIT_MS;
  while (!(await ready())) {
    if (child.exitCode !== null) throw new Error(`${name} ended before it was ready`);
    if (performance.now() > limit) throw new Error(`${name} was not ready within ${START_LIMIT_MS} ms`);
    await sleep(50);
  }
}

/** A program on the load's core; resolves with what it printed. */
export async function onLoadCore(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
  cores: string = LOAD_CORE,
): Promise<string> {
  const [first, ...rest] = placed(cores, command);
  const { stdout } = await execa(first, rest, { env, timeout: LOAD_LIMIT_MS });
  return stdout;
}

/** What the load saw. */
export interface Load {
  readonly sent: number;
  readonly received: number;
  readonly milliseconds: number;
}

/** Runs a load program that prints sent, received and milliseconds. */
export async function load(program: string, args: readonly string[]): Promise<Load> {
  const stdout = await onLoadCore([program, ...args]);
  const [sent = Number.NaN, received = Number.NaN, milliseconds = Number.NaN] = stdout.split(" ").map(Number);
  if (!(received > 0)) throw new Error(`the load got no answer: "${stdout}"`);
  return { sent, received, milliseconds };
}

/** Each round begins with another one, so that none always follows the same neighbour. */
export function rotated<T>(all: readonly T[], by: number): T[] {
  const start = by % all.length;
  return [...all.slice(start), ...all.slice(0, start)];
}
