import { readFileSync, statSync } from "node:fs";
import { unreadable } from "@stitch/config";
import { entryOf, type JournalEntry } from "../journal.ts";

/** A journal and the one before it have 16 MiB together; something larger is none of ours. */
const LARGEST = 64 * 2 ** 20;

/** The entries of a journal file, and of the rotated one beside it, in order. Throws with a sentence. */
export function readRecording(path: string): JournalEntry[] {
  const text = [`${path}.1`, path].map((file, i) => textOf(file, i === 1)).join("\n");
  const entries = text.split("\n").flatMap(entryOf);
  if (entries.length === 0) throw new Error(`${path}: has no line of a journal in it`);
  return entries.toSorted((a, b) => a.id - b.id);
}

function textOf(file: string, required: boolean): string {
  try {
    if (statSync(file).size > LARGEST) throw new Error("is too large for a journal");
    return readFileSync(file, "utf8");
  } catch (failure) {
    const { code, message } = failure as NodeJS.ErrnoException;
    if (code === "ENOENT" && !required) return "";
    throw new Error(`${file}: ${code === undefined ? message : unreadable(failure)}`, { cause: failure });
  }
}
