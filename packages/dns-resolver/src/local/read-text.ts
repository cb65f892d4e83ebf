import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { ConfigError, unreadable, UnreadableFile, type Problem } from "@stitch/config";
import type { Steps } from "../sliced.ts";

/** Largest file that is read; a wrong path may name anything. */
const LARGEST_FILE = 16 * 2 ** 20;
/** Octets that are read, and looked at, in one step: a quarter of a millisecond. */
const READ_AT_ONCE = 128 * 1_024;

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

/**
 * A file of which there may be many megabytes, in steps; `onRead` is shown its octets. All at once a list of a million names would stop
 * the thread for 45 ms, and longer beside a worker that is flooded on the same core: the lease was renewed 0.5 s apart then, which is all it lasts.
 */
export function* readingFile(
  file: string,
  largest = LARGEST_FILE,
  onRead: (octets: Uint8Array) => void = () => {},
): Steps<TextFile> {
  let descriptor: number | undefined;
  try {
    const octets = Buffer.allocUnsafeSlow(look(file, largest) + 1); // one more, which shows whether it has grown
    descriptor = openSync(file, "r");
    let end = 0;
    for (let read = -1; read !== 0; end += read) {
      read = readSync(descriptor, octets, end, Math.min(READ_AT_ONCE, octets.length - end), null);
      onRead(octets.subarray(end, end + read));
      yield;
    }
    if (end === octets.length) refuse(file, [whole("has grown while it was read")]);
    return { file, text: octets.toString("utf8", 0, end) };
  } catch (failure) {
    throw toldOf(file, failure);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

export function* readingFiles(files: readonly string[]): Steps<TextFile[]> {
  const read: TextFile[] = [];
  for (const file of files) read.push(yield* readingFile(file));
  return read;
}

export function readText(file: string, largest = LARGEST_FILE): string {
  try {
    look(file, largest);
    return readFileSync(file, "utf8");
  } catch (failure) {
    throw toldOf(file, failure);
  }
}

/** Its octets. Looks before it is opened: a pipe would never end, and a device neither. */
function look(file: string, largest: number): number {
  const stat = statSync(file);
  if (!stat.isFile()) refuse(file, [whole("is not a file")]);
  if (stat.size > largest) refuse(file, [whole(`is larger than ${largest / 2 ** 20} MiB; is this the right file?`)]);
  return stat.size;
}

function toldOf(file: string, failure: unknown): unknown {
  return failure instanceof ConfigError ? failure : new UnreadableFile(file, unreadable(failure));
}
