import { digitsEnd, fixedNumber, GREATER, LESS } from "./ascii.ts";
import { NONE, PRIORITY, type Message } from "./message.ts";

/** facility 23, severity 7 (RFC 5424 section 6.2.1). */
const HIGHEST_PRIORITY = 191;
const MOST_DIGITS = 3;

/**
 * `<0>` to `<191>`. Leading zeros are forgiven; `<192>` to `<999>` is known for an attempt, and the header after it is
 * still read. Returns where the rest begins: `at` itself when there is no PRI.
 */
export function decodePri(bytes: Uint8Array, at: number, end: number, into: Message): number {
  into.priorityState = PRIORITY.absent;
  into.priority = NONE;
  if (bytes[at] !== LESS || at >= end) return at;
  const close = digitsEnd(bytes, at + 1, Math.min(end, at + 2 + MOST_DIGITS));
  const width = close - at - 1;
  if (width === 0 || width > MOST_DIGITS || close >= end || bytes[close] !== GREATER) return at;
  const value = fixedNumber(bytes, at + 1, end, width);
  into.priorityState = value <= HIGHEST_PRIORITY ? PRIORITY.present : PRIORITY.invalid;
  if (value <= HIGHEST_PRIORITY) into.priority = value;
  return close + 1;
}
