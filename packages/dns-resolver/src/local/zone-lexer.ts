import type { Field } from "./rdata-text.ts";

/** One entry of a zone file: a line, or several that parentheses make one (RFC 1035 section 5.1). */
export interface Entry {
  readonly line: number;
  /** The line began with a blank: the owner is that of the entry before. */
  readonly indented: boolean;
  readonly fields: readonly Field[];
}

export interface LexError {
  readonly line: number;
  readonly message: string;
}

/** A record needs a few dozen at most. An entry of a million would be gathered in one go, and the lease would be lost meanwhile. */
const MOST_FIELDS = 1_024;
const TOKEN = /"((?:\\[\s\S]|[^"\\\n])*)"|(;[^\n]*)|([()])|(\n)|([^\S\n]+)|((?:\\[\s\S]|[^\s;()"\\])+)|([\s\S])/g;

/** Splits a zone file into entries, one at a time: comments, quotes and parentheses are dealt with here and nowhere else. */
export function* zoneEntries(text: string): Generator<Entry | LexError> {
  let line = 1;
  let open: { line: number; indented: boolean; fields: Field[] } | undefined;
  let depth = 0;
  let atStart = true;
  let blank = false;
  let tooMany = 0;
  const push = (field: Field): void => {
    open ??= { line, indented: blank, fields: [] };
    if (open.fields.length < MOST_FIELDS) open.fields.push(field);
    else tooMany += 1;
    atStart = false;
  };
  for (const [, quoted, , bracket, newline, space, word, stray] of `${text}\n`.matchAll(TOKEN)) {
    if (quoted !== undefined) push({ text: quoted, quoted: true });
    else if (word !== undefined) push({ text: word, quoted: false });
    else if (space !== undefined) blank ||= atStart;
    else if (bracket !== undefined) depth += bracket === "(" ? 1 : -1;
    else if (stray !== undefined) yield { line, message: `a stray ${JSON.stringify(stray)}: is a quote not closed?` };
    if (tooMany % MOST_FIELDS === 1) yield { line, message: `an entry of more than ${MOST_FIELDS} fields` };
    if (depth < 0) {
      yield { line, message: "a closing parenthesis without an opening one" };
      depth = 0;
    }
    if (newline === undefined) continue;
    if (depth === 0) {
      if (open !== undefined && tooMany === 0) yield open;
      open = undefined;
      tooMany = 0;
      atStart = true;
      blank = false;
    }
    line += 1;
  }
  if (depth > 0) yield { line: open?.line ?? line, message: "an opening parenthesis is never closed" };
}
