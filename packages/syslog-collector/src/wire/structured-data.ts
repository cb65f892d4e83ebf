import { BACKSLASH, CLOSE, DASH, EQUALS, isVisible, OPEN, QUOTE, SPACE } from "./ascii.ts";

/** Parameters of one message that are indexed. A datagram full of `a=""` would otherwise cost 13,000 rows; the raw text has all. */
const MOST_PARAMETERS = 64;
/** Elements of one message that are indexed; the raw text has all. */
const MOST_ELEMENTS = 32;
/**
 * Bytes of a name that is indexed; section 6.3.3 allows 32. Names are compared with each other: 64 that differ in the
 * last of a thousand bytes would cost 25 times what text of that size does.
 */
export const LONGEST_NAME = 64;

/** STRUCTURED-DATA of RFC 5424 section 6.3 as tables of positions, refilled for every message. */
export class StructuredData {
  elements = 0;
  parameters = 0;
  readonly idStart = new Int32Array(MOST_ELEMENTS);
  readonly idEnd = new Int32Array(MOST_ELEMENTS);
  /** Which element parameter i belongs to. */
  readonly elementOf = new Int32Array(MOST_PARAMETERS);
  readonly nameStart = new Int32Array(MOST_PARAMETERS);
  readonly nameEnd = new Int32Array(MOST_PARAMETERS);
  /** Between the quotes, escapes as they came. */
  readonly valueStart = new Int32Array(MOST_PARAMETERS);
  readonly valueEnd = new Int32Array(MOST_PARAMETERS);

  clear(): void {
    this.elements = 0;
    this.parameters = 0;
  }
}

/** Returns where the structured data ends, or -1 when it is malformed; `into` is then empty. */
export function decodeStructuredData(bytes: Uint8Array, at: number, end: number, into: StructuredData): number {
  into.clear();
  if (at < end && bytes[at] === DASH) return at + 1;
  let next = at;
  while (next < end && bytes[next] === OPEN) {
    next = decodeElement(bytes, next, end, into);
    if (next < 0) break;
  }
  if (next > at) return next;
  into.clear();
  return -1;
}

/** `[id name="value" name="value"]` */
function decodeElement(bytes: Uint8Array, at: number, end: number, into: StructuredData): number {
  const idEnd = nameEnd(bytes, at + 1, end);
  if (idEnd === at + 1) return -1;
  const indexed = into.elements < MOST_ELEMENTS && idEnd - at - 1 <= LONGEST_NAME;
  const element = indexed ? into.elements : MOST_ELEMENTS;
  if (indexed) {
    into.idStart[element] = at + 1;
    into.idEnd[element] = idEnd;
    into.elements += 1;
  }
  let next = idEnd;
  while (next < end && bytes[next] === SPACE) {
    next = decodeParameter(bytes, next + 1, end, element, into);
    if (next < 0) return -1;
  }
  return next < end && bytes[next] === CLOSE ? next + 1 : -1;
}

function decodeParameter(bytes: Uint8Array, at: number, end: number, element: number, into: StructuredData): number {
  const equals = nameEnd(bytes, at, end);
  if (equals === at || equals + 1 >= end || bytes[equals] !== EQUALS || bytes[equals + 1] !== QUOTE) return -1;
  const quote = valueEnd(bytes, equals + 2, end);
  if (quote < 0) return -1;
  const row = into.parameters;
  if (row < MOST_PARAMETERS && element < MOST_ELEMENTS && equals - at <= LONGEST_NAME) {
    into.elementOf[row] = element;
    into.nameStart[row] = at;
    into.nameEnd[row] = equals;
    into.valueStart[row] = equals + 2;
    into.valueEnd[row] = quote;
    into.parameters += 1;
  }
  return quote + 1;
}

/** SD-NAME: visible, without `=`, `]` and `"`. */
function nameEnd(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < end) {
    const byte = bytes[next];
    if (!isVisible(byte) || byte === EQUALS || byte === CLOSE || byte === QUOTE) break;
    next += 1;
  }
  return next;
}

/** Position of the closing quote; -1 when there is none, or an unescaped `]` comes first (section 6.3.3). */
function valueEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let next = at; next < end; next += 1) {
    const byte = bytes[next];
    if (byte === BACKSLASH) next += 1;
    else if (byte === QUOTE) return next;
    else if (byte === CLOSE) return -1;
  }
  return -1;
}
