import { hostname } from "node:os";
import { isMap, isNode, isScalar, type Document, type LineCounter } from "yaml";
import type { z } from "zod";
import { findings } from "./issue-text.ts";
import { ConfigError, formatPath, shown, type Problem } from "./problem.ts";
import { unknownKeys } from "./section.ts";
import { readText } from "./site-file.ts";
import { parseYaml } from "./site-yaml.ts";

/** Sections of site.yaml, each described by the config.ts of its package. */
export const SECTIONS = ["dns", "syslog", "ntp", "announcer", "console"] as const;
export type SectionName = (typeof SECTIONS)[number];

/** Names end up in NSID, metrics labels and file names. */
const LONGEST_NAME = 63;
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/i;

/** One parsed site.yaml. Roles take their own section from it; `stitch check` takes all. */
export class SiteDocument {
  readonly file: string;
  readonly site: string;
  readonly instance: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #values: Readonly<Record<string, unknown>>;

  /** Throws ConfigError when the file cannot be read or used. */
  static load(file: string): SiteDocument {
    return SiteDocument.parse(readText(file), file);
  }

  /** Throws ConfigError. `file` is what error texts call the source. */
  static parse(text: string, file: string): SiteDocument {
    return new SiteDocument(parseYaml(text, file), file);
  }

  private constructor({ document, lines, top }: ReturnType<typeof parseYaml>, file: string) {
    this.file = file;
    this.#document = document;
    this.#lines = lines;
    if (top === null || typeof top !== "object" || Array.isArray(top)) {
      throw new ConfigError(file, [{ path: "", line: 1, message: 'is empty or not a map; begin with "site: NAME"' }]);
    }
    this.#values = top as Record<string, unknown>;
    const problems = this.#topProblems();
    if (problems.length > 0) throw new ConfigError(file, problems);
    this.site = String(this.#values["site"]);
    this.instance = String(this.#values["instance"] ?? hostName());
  }

  has(name: SectionName): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== null;
  }

  /** The section as its schema reads it, frozen all the way down. Throws ConfigError with every problem found. */
  section<T>(name: SectionName, schema: z.ZodType<T>): T {
    if (!this.has(name)) {
      const message = name in this.#values ? "this section is empty" : "this section is missing";
      throw new ConfigError(this.file, [this.problemAt([name], message)]);
    }
    const result = schema.safeParse(this.#values[name]);
    if (result.success) return deepFrozen(result.data);
    const found = findings(result.error.issues, [name], (path) => this.#valueAt(path));
    throw new ConfigError(
      this.file,
      distinct(found.map(({ path, at, message }) => ({ path: formatPath(path), line: this.#lineOf(at), message }))),
    );
  }

  /** A problem that only the meaning of several settings shows, at a place in the file. */
  problemAt(path: readonly PropertyKey[], message: string): Problem {
    return { path: formatPath(path), line: this.#lineOf(path), message };
  }

  #topProblems(): Problem[] {
    const known = ["site", "instance", ...SECTIONS];
    const unknown = Object.keys(this.#values).filter((key) => !known.includes(key));
    const problems = unknown.map((key) => ({
      path: "",
      line: this.#lineOf([key]),
      message: unknownKeys([key], known),
    }));
    return [...problems, ...this.#nameProblems()];
  }

  #nameProblems(): Problem[] {
    const problems: Problem[] = [];
    for (const key of ["site", "instance"] as const) {
      const value = this.#values[key];
      if (value === undefined && key === "instance") continue;
      if (typeof value === "string" && NAME.test(value)) continue;
      const what = value === undefined ? "is missing" : `${shown(value)} is not usable`;
      const quotes = typeof value === "number" ? "; a name that looks like a number needs quotes" : "";
      problems.push(
        this.problemAt(
          [key],
          `${what}: a name of letters, digits, dots, dashes, at most ${LONGEST_NAME} characters${quotes}`,
        ),
      );
    }
    return problems;
  }

  #valueAt(path: readonly PropertyKey[]): unknown {
    let value: unknown = this.#values;
    for (const part of path) {
      if (value === null || typeof value !== "object" || !Object.hasOwn(value, part)) return undefined;
      value = (value as Record<PropertyKey, unknown>)[part];
    }
    return value;
  }

  /** Line of the setting, or of the nearest enclosing one that exists. */
  #lineOf(path: readonly PropertyKey[]): number | undefined {
    for (let depth = path.length; depth > 0; depth -= 1) {
      const offset = this.#offsetOf(path.slice(0, depth));
      if (offset !== undefined) return this.#lines.linePos(offset).line;
    }
    return undefined;
  }

  #offsetOf(path: readonly PropertyKey[]): number | undefined {
    const parent = path.length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, -1), true);
    if (isMap(parent)) {
      const key = String(path.at(-1));
      const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
    }
    const node = this.#document.getIn(path, true);
    return isNode(node) ? node.range?.[0] : undefined;
  }
}

/** The machine's name with what a NAME may not hold replaced. */
function hostName(): string {
  const name = hostname()
    .replaceAll(/[^a-z0-9._-]/gi, "-")
    .replace(/^[^a-z0-9]+/i, "")
    .slice(0, LONGEST_NAME);
  return name === "" ? "unnamed" : name;
}

function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}

/** Visits each value once: through aliases a value may appear in several places, or within itself. */
function deepFrozen<T>(value: T, visited: Set<object> = new Set<object>()): T {
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value) || visited.has(value)) return value;
  visited.add(value);
  for (const inner of Object.values(value)) deepFrozen(inner, visited);
  return Object.freeze(value);
}
