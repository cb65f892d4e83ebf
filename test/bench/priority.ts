import { execa } from "execa";

type Command = readonly [string, ...string[]];

/** On these cores, and before whatever else the machine does, where that is allowed: only root may. */
export function placed(cores: string, command: Command): [string, ...string[]] {
  return ["nice", "-n", "-10", "taskset", "-c", cores, ...command];
}

let allowed: Promise<boolean> | undefined;

/**
 * Whether this process may make others realtime (SCHED_RR). Half of a machine may go to them and not all of it: so where times
 * are taken at half load, and nowhere else.
 */
export function realtimeAllowed(): Promise<boolean> {
  allowed ??= execa("chrt", ["--rr", "1", "true"], { reject: false }).then(({ exitCode }) => exitCode === 0);
  return allowed;
}

/** The command as a realtime process. */
export async function urgent(command: Command): Promise<[string, ...string[]]> {
  return (await realtimeAllowed()) ? ["chrt", "--rr", "1", ...command] : [...command];
}

/**
 * Makes these threads realtime. One that its own program has made nicer than the rest is to give way to them, and stays what
 * it is: as realtime threads all would be alike.
 */
export async function setRealtime(threads: readonly Thread[]): Promise<void> {
  const least = Math.min(...threads.map(({ nice }) => nice));
  await schedule(
    threads.filter(({ nice }) => nice === least),
    ["--rr", "--pid", "1"],
  );
}

/** Makes them as they were. */
export function setOrdinary(threads: readonly Thread[]): Promise<void> {
  return schedule(threads, ["--other", "--pid", "0"]);
}

async function schedule(threads: readonly Thread[], policy: readonly string[]): Promise<void> {
  if (!(await realtimeAllowed())) return;
  await Promise.all(threads.map(({ tid }) => execa("chrt", [...policy, String(tid)], { reject: false })));
}

export interface Thread {
  readonly tid: number;
  readonly nice: number;
}

/** From the line of proc_pid_stat(5): what stands behind the name, which may have blanks, begins with field 3; 19 is the nice value. */
export function threadOf(stat: string): Thread {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { tid: Number.parseInt(stat, 10), nice: Number(fields[19 - 3]) };
}
