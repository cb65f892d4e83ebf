import { readFileSync } from "node:fs";

/** The running kernel's version without the suffix of whoever built it; it stands beside every measured number. */
export function kernelRelease(): string {
  const release = readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
  return /^[\d.]+/.exec(release)?.[0] ?? release;
}
