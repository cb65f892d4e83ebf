/** One thing wrong with a configuration file, in the words a person needs: what, where, what to do. */
export interface Problem {
  /** `dns.routes[0].upstreams[1]`; empty for the file as a whole. */
  readonly path: string;
  /** Line in the file, from 1; undefined when the setting is absent. */
  readonly line: number | undefined;
  readonly message: string;
}

/** A configuration that cannot be used. `problems` has all of them, not only the first. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    super(problems.map((problem) => formatProblem(file, problem)).join("\n"));
    this.file = file;
    this.problems = problems;
  }
}

function formatProblem(file: string, { path, line, message }: Problem): string {
  const where = line === undefined ? file : `${file}:${line}`;
  return path === "" ? `${where}: ${message}` : `${where}: ${path}: ${message}`;
}

/** `["dns", "routes", 0, "zone"]` as `dns.routes[0].zone`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? String(part) : `.${String(part)}`;
  }
  return text;
}

/** Longest rendering of a value in an error text, in characters: a mistyped setting may hold a whole section. */
const LONGEST_SHOWN = 80;

/** A value as an error text shows it: JSON, cut when long, never throwing (an alias can make a value contain itself). */
export function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  const text = asJson(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
}

function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return "a value that contains itself";
  }
}
