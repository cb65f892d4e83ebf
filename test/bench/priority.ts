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

/** Makes all threads of these processes realtime, or as they were. */
export async function setRealtime(processes: readonly number[], on: boolean): Promise<void> {
  if (!(await realtimeAllowed())) return;
  const policy = on ? ["--rr", "--all-tasks", "--pid", "1"] : ["--other", "--all-tasks", "--pid", "0"];
  await Promise.all(processes.map((pid) => execa("chrt", [...policy, String(pid)], { reject: false })));
}
