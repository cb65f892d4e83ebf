import { DASH, isDigit, SPACE, visibleEnd } from "./ascii.ts";
import { LAYOUT, type Message } from "./message.ts";
import { decodeStructuredData } from "./structured-data.ts";
import { decodeRfc3339 } from "./timestamp.ts";

/**
 * What follows `<PRI>` (RFC 5424 section 6):
 *
 *   VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
 *
 * Field lengths are not enforced: a host name of 300 bytes is wrong, and still the host's name. Structured data that is
 * malformed or left out becomes part of the text. Returns false when the header is not this one.
 */
export function decodeRfc5424(bytes: Uint8Array, at: number, end: number, into: Message): boolean {
  const version = at + (isDigit(bytes[at + 1]) ? 2 : 1);
  if (at >= end || !isDigit(bytes[at]) || bytes[at] === 0x30 || bytes[version] !== SPACE) return false;
  const time = decodeTime(bytes, version + 1, end, into);
  if (time < 0) return false;
  const host = field(bytes, time + 1, end);
  const app = field(bytes, host + 1, end);
  const pid = field(bytes, app + 1, end);
  const msgid = lastField(bytes, pid + 1, end);
  if (host < 0 || app < 0 || pid < 0 || msgid < 0) return false;
  into.layout = LAYOUT.rfc5424;
  if (!isNil(bytes, time + 1, host)) into.setHost(time + 1, host);
  if (!isNil(bytes, host + 1, app)) into.setApp(host + 1, app);
  if (!isNil(bytes, app + 1, pid)) into.setPid(app + 1, pid);
  if (!isNil(bytes, pid + 1, msgid)) into.setMsgid(pid + 1, msgid);
  decodeRest(bytes, Math.min(msgid + 1, end), end, into);
  return true;
}

function decodeTime(bytes: Uint8Array, at: number, end: number, into: Message): number {
  const stop = isNil(bytes, at, at + 1) ? at + 1 : decodeRfc3339(bytes, at, end, into.time);
  return stop > 0 && stop < end && bytes[stop] === SPACE ? stop : -1;
}

/** End of the field that begins at `at`; -1 unless it has a byte and a space after it. */
function field(bytes: Uint8Array, at: number, end: number): number {
  const stop = lastField(bytes, at, end);
  return stop >= 0 && stop < end && bytes[stop] === SPACE ? stop : -1;
}

function lastField(bytes: Uint8Array, at: number, end: number): number {
  if (at <= 0) return -1;
  const stop = visibleEnd(bytes, at, end);
  return stop > at ? stop : -1;
}

function isNil(bytes: Uint8Array, start: number, stop: number): boolean {
  return stop === start + 1 && bytes[start] === DASH;
}

function decodeRest(bytes: Uint8Array, at: number, end: number, into: Message): void {
  const sd = decodeStructuredData(bytes, at, end, into.structuredData);
  const whole = sd >= 0 && (sd === end || bytes[sd] === SPACE || bytes[sd] === 0x0a || bytes[sd] === 0x00);
  if (!whole) into.structuredData.clear();
  into.textStart = whole && sd < end && bytes[sd] === SPACE ? sd + 1 : whole ? sd : at;
  into.textEnd = end;
  skipByteOrderMark(bytes, into);
}

/** Section 6.4: a BOM only says that the text is UTF-8. */
export function skipByteOrderMark(bytes: Uint8Array, into: Message): void {
  const at = into.textStart;
  if (at + 3 <= into.textEnd && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) {
    into.textStart = at + 3;
  }
}
