import { closeSync, openSync, readSync } from "node:fs";
import { ConfigError } from "./problem.ts";
import { unreadable, UnreadableFile } from "./unreadable.ts";

/** Largest file that is read; a site is a few KiB, and a wrong path may name anything, a device without end included. */
const LARGEST_FILE = 1 << 20;

/** The text of `file`. Throws ConfigError when it cannot be read, is too large or is not UTF-8. */
export function readText(file: string): string {
  const bytes = readBytes(file);
  if (bytes.length > LARGEST_FILE) throw refusal(file, "is larger than 1 MiB; is this the right file?");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refusal(file, "is not UTF-8 text; is this the right file?");
  }
}

/** At most one byte more than LARGEST_FILE. */
function readBytes(file: string): Uint8Array {
  try {
    const descriptor = openSync(file, "r");
    try {
      return readUpTo(descriptor, LARGEST_FILE + 1);
    } finally {
      closeSync(descriptor);
    }
  } catch (failure) {
    throw new UnreadableFile(file, `${unreadable(failure)}; name another with -c FILE`);
  }
}

function readUpTo(descriptor: number, most: number): Uint8Array {
  const bytes = new Uint8Array(most);
  let length = 0;
  for (let read = 1; read > 0 && length < most; length += read) {
    read = readSync(descriptor, bytes, length, most - length, null);
  }
  return bytes.subarray(0, length);
}

function refusal(file: string, message: string): ConfigError {
  return new ConfigError(file, [{ path: "", line: undefined, message }]);
}
