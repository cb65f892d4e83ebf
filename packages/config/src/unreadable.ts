import { ConfigError } from "./problem.ts";

/** What the system's codes mean to a person. */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  ENOTDIR: "no such file",
  EISDIR: "is a folder, not a file",
  EACCES: "may not be read by this user",
};

/** Why a file could not be read, as the words behind its name. */
export function unreadable(failure: unknown): string {
  const code = (failure as NodeJS.ErrnoException).code ?? String(failure);
  return WORDS[code] ?? `cannot be read (${code})`;
}

/** A file that cannot be read here; on another machine it may be there, and good. */
export class UnreadableFile extends ConfigError {
  constructor(file: string, message: string) {
    super(file, [{ path: "", line: undefined, message }]);
  }
}
