import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The machine's pid of the process that calls itself `inner` in the process namespace of `member`; undefined if it is gone. */
export function outerPid(member: number, inner: number): number | undefined {
  const namespace = namespaceOf(member);
  return readdirSync("/proc")
    .map(Number)
    .find((pid) => pid > 0 && namespaceOf(pid) === namespace && innermostPid(pid) === inner);
}

export function isAlive(pid: number): boolean {
  return namespaceOf(pid) !== undefined;
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

function innermostPid(pid: number): number | undefined {
  try {
    const line = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(line?.split(/\s+/).at(-1));
  } catch {
    return undefined;
  }
}
