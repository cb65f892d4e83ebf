import type { ChildProcess } from "node:child_process";
import type { Nanoseconds } from "@stitch/lab";
import type { Duration } from "@stitch/clock";
import type { Network } from "./network.ts";

/** What may be struck of a contender. `checker` is the process that watches the service: ours is the announcer itself. */
export type Part = "service" | "checker" | "announcer";

/** Something that announces the VIP while the DNS role behind it is well. */
export interface Contender {
  readonly name: string;
  /** As it stands beside the figures. */
  readonly settings: string;
  /** The longest that it waits between two looks at the service; faults fall at every phase of it. */
  readonly interval: Duration;
  start(network: Network): Promise<Started>;
}

export interface Started {
  /** The pid of a part; known once the route stands. */
  pid(part: Part): number;
  /** Beyond the route: what else must be up before a fault is fair. */
  ready(): Promise<void>;
  /** A planned withdrawal, by the means that the program has for it. */
  drain(): Promise<void>;
  /** kill -9 of what is left. */
  stop(): Promise<void>;
}

/** Sends a signal and answers the time just before. */
export function strike(pid: number, signal: NodeJS.Signals): Nanoseconds {
  const time = process.hrtime.bigint() as Nanoseconds;
  process.kill(pid, signal);
  return time;
}

export function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error(`${child.spawnfile} did not start`);
  return child.pid;
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await exited;
}
