import { readFileSync } from "node:fs";
import { join, relative } from "node:path";

/**
 * The command line that runs `argv` scheduled together with process `pid` of a container, as `docker exec` would. An engine's
 * containers are one group to the scheduler and share what one program outside of it gets: a generator left outside would have a
 * processor of two to itself, and all sites, routers and clients the other. `argv` as it is where the kernel knows no such groups.
 */
export function scheduledWith(pid: number, argv: readonly string[]): readonly string[] {
  const file = membersFile(readFileSync(`/proc/${pid}/cgroup`, "utf8"), readFileSync("/proc/self/mountinfo", "utf8"));
  // The shell joins before it becomes the program: all threads and children follow.
  return file === undefined ? argv : ["sh", "-c", 'echo $$ > "$0" && exec "$@"', file, ...argv];
}

/**
 * Pure: where the group that schedules a process lists its members, of the process's `/proc/PID/cgroup` and our `mountinfo`.
 * Version 1 has a hierarchy with the controller `cpu` (perhaps `cpu,cpuacct`); where it has none, version 2 schedules.
 */
export function membersFile(cgroup: string, mountinfo: string): string | undefined {
  const groups = cgroup.split("\n").map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? []);
  const [, controllers, group] =
    groups.find(([, names = ""]) => names.split(",").includes("cpu")) ?? groups.find(([, names]) => names === "") ?? [];
  // A group outside of our own control group namespace is written with dots, and nothing that we have mounted shows it.
  if (controllers === undefined || group === undefined || group.startsWith("/..")) return undefined;
  const mount = mountinfo
    .split("\n")
    .map(mountIn)
    .find(({ type, options }) =>
      controllers === "" ? type === "cgroup2" : type === "cgroup" && options.includes("cpu"),
    );
  if (mount === undefined) return undefined;
  const below = relative(mount.root, group);
  return below.startsWith("..") ? undefined : join(mount.point, below, "cgroup.procs");
}

/** `ID PARENT DEV ROOT POINT OPTIONS [OPTIONAL...] - TYPE SOURCE SUPER_OPTIONS` (proc_pid_mountinfo(5)). */
function mountIn(line: string): { root: string; point: string; type: string; options: readonly string[] } {
  const [own = "", shared = ""] = line.split(" - ");
  const [, , , root = "", point = ""] = own.split(" ");
  const [type = "", , options = ""] = shared.split(" ");
  return { root, point, type, options: options.split(",") };
}
