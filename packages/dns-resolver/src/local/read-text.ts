import { readFileSync, statSync } from "node:fs";
import { ConfigError, unreadable, UnreadableFile, type Problem } from "@stitch/config";

/** Largest file that is read; a wrong path may name anything. */
const LARGEST_FILE = 16 * 2 ** 20;

/** A file of the wrong kind is wrong in every line, of which there may be millions; so many are shown. */
export const MOST_PROBLEMS = 20;

/** A file as it was read: what is checked in one thread and served by others is the same text. */
export interface TextFile {
  readonly file: string;
  readonly text: string;
}

/** Throws ConfigError when there are problems. */
export function refuse(file: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(file, problems);
}

/** A problem of the file as a whole. */
export function whole(message: string): Problem {
  return { path: "", line: undefined, message };
}

export function readFile(file: string, largest?: number): TextFile {
  return { file, text: readText(file, largest) };
}

/** Looks before it reads: a pipe would never end, and a device neither. */
export function readText(file: string, largest = LARGEST_FILE): string {
  try {
    const stat = statSync(file);
    if (!stat.isFile()) refuse(file, [whole("is not a file")]);
    if (stat.size > largest) refuse(file, [whole(`is larger than ${largest / 2 ** 20} MiB; is this the right file?`)]);
    return readFileSync(file, "utf8");
  } catch (failure) {
    if (failure instanceof ConfigError) throw failure;
    throw new UnreadableFile(file, unreadable(failure));
  }
}
