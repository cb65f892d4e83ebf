import { LineCounter, parseDocument, type Document, type YAMLError } from "yaml";
import { ConfigError, shown, type Problem } from "./problem.ts";

/** Uses of aliases that a file may expand to: a few KiB of nested aliases can otherwise fill the memory. */
const MOST_ALIASES = 100;

/** Complaints that leave the parser in step: the next one is about something else. */
const IN_STEP: ReadonlySet<string> = new Set(["DUPLICATE_KEY", "BAD_ALIAS", "TAG_RESOLVE_FAILED"]);

/** A file as YAML 1.2 core: its tree (for line numbers) and its values. Throws ConfigError, whatever the text holds. */
export function parseYaml(text: string, file: string): { document: Document; lines: LineCounter; top: unknown } {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, logLevel: "error" });
    const complaints = [...document.errors, ...document.warnings];
    if (complaints.length > 0) throw new ConfigError(file, upToTheSlip(complaints, text));
    return { document, lines, top: document.toJS({ maxAliasCount: MOST_ALIASES }) };
  } catch (failure) {
    if (failure instanceof ConfigError) throw failure;
    throw new ConfigError(file, [{ path: "", line: undefined, message: `not valid YAML: ${reason(failure)}` }]);
  }
}

/** One slip makes the parser complain about all that follows; the first complaint says what is wrong. */
function upToTheSlip(complaints: readonly YAMLError[], text: string): Problem[] {
  const slip = complaints.findIndex(({ code }) => !IN_STEP.has(code));
  const told = slip < 0 ? complaints : complaints.slice(0, slip + 1);
  return told.map((complaint) => ({
    path: "",
    line: complaint.linePos?.[0].line,
    message: `not valid YAML: ${words(complaint, text)}`,
  }));
}

function words({ code, message, pos }: YAMLError, text: string): string {
  if (code === "DUPLICATE_KEY") return `the key ${shown(keyAt(text, pos[0]))} appears twice in this map`;
  if (code === "MULTIPLE_DOCS") return 'a second document begins here ("---"); a site is one';
  if (code === "MULTILINE_IMPLICIT_KEY" || message.startsWith("Implicit map keys need"))
    return `there is no ": " in or behind ${shown(lineAt(text, pos[0]))}`;
  if (code === "BLOCK_AS_IMPLICIT_KEY") return 'two settings in one line; text that holds ": " needs quotes';
  if (code === "TAB_AS_INDENT") return "a tab sets this line in; use spaces";
  return (message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, "");
}

function keyAt(text: string, offset: number): string {
  return /^["']?([^"':\s]*)/.exec(text.slice(offset, offset + 64))?.[1] ?? "";
}

function lineAt(text: string, offset: number): string {
  return (text.slice(offset, offset + 64).split("\n")[0] ?? "").trim();
}

function reason(failure: unknown): string {
  if (failure instanceof RangeError) return "nested too deeply";
  const text = failure instanceof Error ? failure.message : String(failure);
  return text.startsWith("Excessive alias count") ? `more than ${MOST_ALIASES} uses of aliases` : text;
}
