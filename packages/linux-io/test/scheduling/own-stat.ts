import { readFileSync } from "node:fs";

/** A field of proc_pid_stat(5); those behind the name, which may have blanks in it, begin with number 3. */
export function fieldOf(stat: string, number: number): number {
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[number - 3]);
}

/** The same of the calling thread. */
export function ownField(number: number): number {
  return fieldOf(readFileSync("/proc/thread-self/stat", "utf8"), number);
}
