/** Bytes that the grammars of RFC 3164 and RFC 5424 name. */
export const NUL = 0x00;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const PERCENT = 0x25;
export const STAR = 0x2a;
export const PLUS = 0x2b;
export const COMMA = 0x2c;
export const DASH = 0x2d;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const LESS = 0x3c;
export const EQUALS = 0x3d;
export const GREATER = 0x3e;
export const OPEN = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE = 0x5d;

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

export function isUpper(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a;
}

/** Printable and not a space: what a header field may hold. Bytes above 0x7f are somebody's hostname. */
export function isVisible(byte: number | undefined): boolean {
  return byte !== undefined && byte > SPACE && byte !== 0x7f;
}

export function skipSpaces(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < end && bytes[next] === SPACE) next += 1;
  return next;
}

/** Exactly `width` digits as a number; -1 when they are not all there. */
export function fixedNumber(bytes: Uint8Array, at: number, end: number, width: number): number {
  if (at + width > end) return -1;
  let value = 0;
  for (let i = at; i < at + width; i += 1) {
    if (!isDigit(bytes[i])) return -1;
    value = value * 10 + (bytes[i] ?? 0) - 0x30;
  }
  return value;
}

/** First position from `at` that is not a digit. */
export function digitsEnd(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < end && isDigit(bytes[next])) next += 1;
  return next;
}

/** First position from `at` that is not visible. */
export function visibleEnd(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < end && isVisible(bytes[next])) next += 1;
  return next;
}
