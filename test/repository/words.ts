import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { exists, nameOf, read, ROOT, shipped } from "./tree.ts";

/** A reason as it stands in code: lower case words with dashes. */
const REASON = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
/** Classes of reasons, not reasons. */
const CLASSES = new Set(["dead", "dependency", "load"]);

/** Reasons of a package: the strings of its reasons.ts files, and every code that is raised on Health. */
export function reasonsOf(name: string): string[] {
  const found = new Set<string>();
  for (const { path, text } of shipped(name)) {
    const closedSet = nameOf(path) === "reasons.ts" ? withoutComments(text) : "";
    const literals = [
      ...matches(closedSet, /"([^"\n]*)"/g),
      ...matches(closedSet, /^\s*([a-z][a-z0-9]*): "(?:dead|dependency|load)"/gm),
    ];
    const raised = matches(text, /\.raise\(\s*"([^"\n]*)"/g);
    for (const word of [...literals, ...raised]) if (REASON.test(word) && !CLASSES.has(word)) found.add(word);
  }
  return [...found].toSorted();
}

/** Metric names of a package: every string literal of that form. */
export function metricsOf(name: string): string[] {
  const found = shipped(name).flatMap(({ text }) => matches(withoutComments(text), /"(stitch_[a-z0-9_]+)"/g));
  return [...new Set(found)].toSorted();
}

/** Dotted paths of the settings that the exported `...Section` schemas of a package know, lists written without index. */
export async function optionsOf(name: string): Promise<string[]> {
  const file = ["config.ts", "index.ts"].map((each) => `packages/${name}/src/${each}`).find(exists);
  if (file === undefined) return [];
  const module = await load(file);
  const schemas = Object.entries(module).filter(([key]) => key.endsWith("Section"));
  return [...new Set(schemas.flatMap(([, schema]) => walk(schema, "")))].toSorted();
}

/** What a module of the repository exports. */
export async function load(path: string): Promise<Readonly<Record<string, unknown>>> {
  return (await import(/* @vite-ignore */ pathToFileURL(join(ROOT, path)).href)) as Record<string, unknown>;
}

interface Definition {
  readonly type?: string;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly innerType?: unknown;
  readonly element?: unknown;
  readonly valueType?: unknown;
  readonly in?: unknown;
  readonly options?: readonly unknown[];
  readonly items?: readonly unknown[];
}

/** A zod schema's tree, by the definitions that zod 4 documents for library authors. */
function walk(schema: unknown, at: string): string[] {
  const { shape, innerType, element, valueType, in: input, options, items } = definitionOf(schema);
  const inner = [innerType, element, valueType, input, ...(options ?? []), ...(items ?? [])].filter(
    (part) => part !== undefined,
  );
  const below = inner.flatMap((part) => walk(part, at));
  const keys = Object.entries(shape ?? {}).flatMap(([key, value]) => {
    const path = at === "" ? key : `${at}.${key}`;
    return [path, ...walk(value, path)];
  });
  return [...keys, ...below];
}

/** Where zod 4 keeps a schema's definition. */
const INTERNALS = "_zod";

function definitionOf(schema: unknown): Definition {
  const internals = (schema as Readonly<Record<string, { readonly def?: Definition } | undefined>> | undefined)?.[
    INTERNALS
  ];
  return internals?.def ?? {};
}

export interface Readme {
  /** Everything between single backticks outside of code blocks. */
  readonly quoted: ReadonlySet<string>;
  /** First cells of tables, without their backticks, by the table's first heading in lower case and its section. */
  readonly rows: readonly { readonly section: string; readonly heading: string; readonly cell: string }[];
}

export function readmeOf(name: string): Readme {
  const text = exists(`packages/${name}/README.md`) ? read(`packages/${name}/README.md`) : "";
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, "");
  const quoted = new Set(matches(prose, /`([^`\n]+)`/g));
  const rows: { section: string; heading: string; cell: string }[] = [];
  let section = "";
  let heading: string | undefined;
  for (const line of prose.split("\n")) {
    section = /^## (.*)$/.exec(line)?.[1] ?? section;
    const first = /^\|\s*([^|]*?)\s*\|/.exec(line)?.[1];
    if (first === undefined) heading = undefined;
    else if (heading === undefined) heading = first.toLowerCase();
    else rows.push(...matches(first, /`([^`\n]+)`/g).map((cell) => ({ section, heading: heading ?? "", cell })));
  }
  return { quoted, rows };
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = ""]) => found);
}

function withoutComments(text: string): string {
  return text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, "");
}
