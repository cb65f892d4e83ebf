import { CR, digitsEnd, LESS, LF, NUL, SPACE } from "./ascii.ts";
import { PRIORITY, type Message } from "./message.ts";
import { decodePri } from "./pri.ts";
import { decodeRfc3164 } from "./rfc3164.ts";
import { decodeRfc5424, skipByteOrderMark } from "./rfc5424.ts";

/** Digits of a length that some devices put before a UDP message as if it were a stream (RFC 6587 section 3.4.1). */
const MOST_COUNT_DIGITS = 5;

/**
 * Decodes one datagram, whatever it is: never fails, never throws, never looks outside [start, end).
 * `into` then holds the layout that was recognised; what was not is in its text.
 */
export function decodeMessage(
  bytes: Uint8Array,
  start: number,
  end: number,
  receivedSeconds: number,
  into: Message,
): void {
  into.clear();
  const stop = trimmedEnd(bytes, start, end);
  const at = skipOctetCount(bytes, skipMark(bytes, start, stop), stop);
  const header = decodePri(bytes, at, stop, into);
  if (into.priorityState !== PRIORITY.absent && decodeRfc5424(bytes, header, stop, into)) return;
  into.clearHeader();
  decodeRfc3164(bytes, header, stop, receivedSeconds, into);
  skipByteOrderMark(bytes, into);
}

/** Many senders end a message as C or a line would. */
function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let stop = end;
  while (stop > start && (bytes[stop - 1] === LF || bytes[stop - 1] === NUL || bytes[stop - 1] === CR)) stop -= 1;
  return stop;
}

function skipMark(bytes: Uint8Array, at: number, end: number): number {
  return at + 3 <= end && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf ? at + 3 : at;
}

function skipOctetCount(bytes: Uint8Array, at: number, end: number): number {
  const stop = digitsEnd(bytes, at, Math.min(end, at + MOST_COUNT_DIGITS));
  return stop > at && stop + 1 < end && bytes[stop] === SPACE && bytes[stop + 1] === LESS ? stop + 1 : at;
}
