import { LineCounter, parseDocument, type Document, type YAMLError } from "yaml";
import { ConfigError, shown, type Problem } from "./problem.ts";

/** Uses of aliases that a file may expand to: a few KiB of nested aliases can otherwise fill the memory. */
const MOST_ALIASES = 100;

/** A file as YAML 1.2 core: its tree (for line numbers) and its values. Throws ConfigError, whatever the text holds. */
export function parseYaml(text: string, file: string): { document: Document; lines: LineCounter; top: unknown } {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, logLevel: "error" });
    const complaints = [...document.errors, ...document.warnings];
    if (complaints.length > 0) throw new ConfigError(file, firstOfEachLine(complaints, text));
    return { document, lines, top: document.toJS({ maxAliasCount: MOST_ALIASES }) };
  } catch (failure) {
    if (failure instanceof ConfigError) throw failure;
    throw new ConfigError(file, [{ path: "", line: undefined, message: `not valid YAML: ${reason(failure)}` }]);
  }
}

/** One slip makes the parser complain several times about the rest of its line; the first says what is wrong. */
function firstOfEachLine(complaints: readonly YAMLError[], text: string): Problem[] {
  const problems = new Map<number | undefined, Problem>();
  for (const complaint of complaints) {
    const line = complaint.linePos?.[0].line;
    if (!problems.has(line))
      problems.set(line, { path: "", line, message: `not valid YAML: ${words(complaint, text)}` });
  }
  return [...problems.values()];
}

function words({ code, message, pos }: YAMLError, text: string): string {
  if (code === "DUPLICATE_KEY") return `the key ${shown(keyAt(text, pos[0]))} appears twice in this map`;
  if (code === "MULTIPLE_DOCS") return 'a second document begins here ("---"); a site is one';
  return (message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, "");
}

function keyAt(text: string, offset: number): string {
  return /^["']?([^"':\s]*)/.exec(text.slice(offset, offset + 64))?.[1] ?? "";
}

function reason(failure: unknown): string {
  if (failure instanceof RangeError) return "nested too deeply";
  const text = failure instanceof Error ? failure.message : String(failure);
  return text.startsWith("Excessive alias count") ? `more than ${MOST_ALIASES} uses of aliases` : text;
}
