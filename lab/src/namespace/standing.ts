import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Holder, holderOf } from "./holder.ts";

/** What `up` leaves on disk for `down`, `exec` and the drills to find: the first process of each node. */
export interface Standing {
  /** The topology's file. */
  readonly topology: string;
  readonly holders: Readonly<Record<string, ProcessMark>>;
  readonly supervisors: Readonly<Record<string, ProcessMark>>;
}

/** A pid alone may have been given to somebody else since; pid and start time together are the same process. */
export interface ProcessMark {
  readonly pid: number;
  readonly started: string;
}

const FOLDER = join(import.meta.dirname, "../../../.cache/lab");
const FILE = "standing.json";

export function writeStanding(
  topology: string,
  holders: ReadonlyMap<string, Holder>,
  supervisors: ReadonlyMap<string, number>,
): void {
  mkdirSync(FOLDER, { recursive: true });
  const standing: Standing = {
    topology,
    holders: Object.fromEntries([...holders].map(([node, { pid }]) => [node, mark(pid)])),
    supervisors: Object.fromEntries([...supervisors].map(([node, pid]) => [node, mark(pid)])),
  };
  writeFileSync(join(FOLDER, FILE), JSON.stringify(standing, undefined, 2));
}

/** The lab that `up` left, or undefined when none stands or part of it is gone. */
export function readStanding():
  | { topology: string; holders: Map<string, Holder>; supervisors: Map<string, number> }
  | undefined {
  const standing = read();
  if (standing === undefined) return undefined;
  const alive = Object.entries(standing.holders).filter(([, process]) => isSame(process));
  if (alive.length < Object.keys(standing.holders).length) return undefined;
  const supervisors = Object.entries(standing.supervisors).filter(([, process]) => isSame(process));
  return {
    topology: standing.topology,
    holders: new Map(alive.map(([node, { pid }]) => [node, holderOf(node, pid)])),
    supervisors: new Map(supervisors.map(([node, { pid }]) => [node, pid])),
  };
}

/** Ends whatever `up` left, whole or not; answers how many nodes were still there. */
export function endStanding(): number {
  const marks = Object.values(read()?.holders ?? {}).filter(isSame);
  for (const { pid } of marks) process.kill(pid, "SIGKILL");
  rmSync(FOLDER, { recursive: true, force: true });
  return marks.length;
}

function read(): Standing | undefined {
  if (!readdirIfThere(FOLDER).includes(FILE)) return undefined;
  return JSON.parse(readFileSync(join(FOLDER, FILE), "utf8")) as Standing;
}

function readdirIfThere(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function mark(pid: number): ProcessMark {
  return { pid, started: startTime(pid) ?? "" };
}
function isSame({ pid, started }: ProcessMark): boolean {
  return startTime(pid) === started;
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; the command name before it may hold spaces and brackets. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
