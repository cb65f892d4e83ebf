import {
  CLOSE,
  COLON,
  DASH,
  digitsEnd,
  DOT,
  isDigit,
  isUpper,
  isVisible,
  OPEN,
  PERCENT,
  skipSpaces,
  SLASH,
  SPACE,
  STAR,
  visibleEnd,
} from "./ascii.ts";
import { LAYOUT, NONE, type Message } from "./message.ts";
import { decodeBsdTime, decodeRfc3339 } from "./timestamp.ts";

/** Words that may stand before the time: counter, origin id, sequence number, IOS-XR node. */
const MOST_PREFIXES = 5;
/** Longer than any origin id or tag; beyond it a colon is part of a sentence. */
const LONGEST_WORD = 64;
/** Digits that a double holds exactly. */
const MOST_COUNTER_DIGITS = 15;

/**
 * RFC 3164 and what devices make of it. In the order tried, each part may be missing:
 *
 *   [counter:] [origin:] [sequence:] [*|.] TIME [zone] [:] [HOST] [:] [TAG[pid]:] [%FAC-SEV-MNEMONIC:] TEXT
 *
 * Normal: `Oct 11 22:14:15 mymachine su[7]: text`. Hard: `15162564: BGP-BETA: 29391555: *Mar  1 00:00:01.1 CET: %BGP-5-..`
 * where the words before the time make sense only because a time or a mnemonic follows; else they are given back as text.
 * Returns false when nothing was recognised; the text is then all there is.
 */
export function decodeRfc3164(
  bytes: Uint8Array,
  at: number,
  end: number,
  receivedSeconds: number,
  into: Message,
): boolean {
  const start = skipSpaces(bytes, at, end);
  let next = decodePrefixes(bytes, start, end, receivedSeconds, into);
  if (next < 0) {
    into.clearHeader();
    next = start;
  } else if (into.time.present) next = decodeOrigin(bytes, next, end, into);
  const content = decodeContent(bytes, next, end, into);
  const recognised = content > start;
  into.layout = recognised ? LAYOUT.rfc3164 : LAYOUT.unparsed;
  into.textStart = recognised ? content : at;
  into.textEnd = end;
  return recognised;
}

/** Reads up to and with the time. Returns -1 when neither a time nor a mnemonic ends the run of words. */
function decodePrefixes(bytes: Uint8Array, at: number, end: number, receivedSeconds: number, into: Message): number {
  let next = at;
  for (let i = 0; i < MOST_PREFIXES && next >= 0; i += 1) {
    next = skipSpaces(bytes, next, end);
    const marked = bytes[next] === STAR || bytes[next] === DOT ? next + 1 : next;
    const time = decodeTime(bytes, marked, end, receivedSeconds, into);
    if (time >= 0) {
      into.time.unsynchronized = marked > next;
      return decodeZoneWord(bytes, time, end, next > at, into);
    }
    if (mnemonicEnd(bytes, next, end) > 0) return next;
    next = decodePrefix(bytes, next, end, into);
  }
  return -1;
}

function decodeTime(bytes: Uint8Array, at: number, end: number, receivedSeconds: number, into: Message): number {
  const bsd = decodeBsdTime(bytes, at, end, receivedSeconds, into.time);
  return bsd >= 0 ? bsd : decodeRfc3339(bytes, at, end, into.time);
}

/** One word with its colon; -1 when it cannot stand before a time. */
function decodePrefix(bytes: Uint8Array, at: number, end: number, into: Message): number {
  if (at < end && bytes[at] === COLON) return at + 1; // NX-OS begins with one
  const digits = digitsEnd(bytes, at, Math.min(end, at + MOST_COUNTER_DIGITS));
  if (digits > at && digits < end && bytes[digits] === COLON && !isDigit(bytes[digits + 1])) {
    takeCounter(bytes, at, digits, into);
    return digits + 1;
  }
  const limit = Math.min(end, at + LONGEST_WORD);
  let stop = at;
  while (stop < limit && isVisible(bytes[stop]) && bytes[stop] !== COLON) stop += 1;
  if (stop === at || stop >= end) return -1;
  if (bytes[stop] === COLON) return takeOrigin(bytes, at, stop, into);
  if (bytes[stop] !== SPACE || !isNode(bytes, stop + 1, end)) return -1;
  into.setHost(at, stop);
  return stop + 1;
}

function takeCounter(bytes: Uint8Array, at: number, stop: number, into: Message): void {
  let value = 0;
  for (let i = at; i < stop; i += 1) value = value * 10 + (bytes[i] ?? 0) - 0x30;
  if (into.counter === NONE) into.counter = value;
  else into.sequence = value;
}

/** `HOST:`; an IOS-XR node such as `RP/0/RSP0/CPU0:` and an uptime such as `1w2d:` or `00:01:02:` are passed over. */
function takeOrigin(bytes: Uint8Array, at: number, colon: number, into: Message): number {
  if (!isDigit(bytes[at]) && !isNode(bytes, at, colon) && into.hostEnd === into.hostStart) {
    into.setHost(at, colon);
  }
  return colon + 1;
}

/** `RP/0/...`, `LC/0/...` */
function isNode(bytes: Uint8Array, at: number, end: number): boolean {
  return at + 3 < end && isUpper(bytes[at]) && isUpper(bytes[at + 1]) && bytes[at + 2] === SLASH;
}

/**
 * ` UTC`, ` CEST:`. An abbreviation names several zones (IST has three), so only UTC and GMT set one; others are
 * passed over where a colon shows that they belong to the time.
 */
function decodeZoneWord(bytes: Uint8Array, at: number, end: number, prefixed: boolean, into: Message): number {
  if (at >= end || bytes[at] !== SPACE) return at;
  let stop = at + 1;
  while (stop < end && stop < at + 6 && isUpper(bytes[stop])) stop += 1;
  const utc = stop === at + 4 && (isWord(bytes, at + 1, "UTC") || isWord(bytes, at + 1, "GMT"));
  const colon = stop < end && bytes[stop] === COLON;
  const cisco = prefixed || mnemonicEnd(bytes, skipSpaces(bytes, stop + 1, end), end) > 0;
  if (utc && (colon || bytes[stop] === SPACE)) into.time.zone = 0;
  else if (stop < at + 3 || !colon || !cisco) return at;
  return stop;
}

function isWord(bytes: Uint8Array, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i += 1) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  return true;
}

/** After the time: `: ` means that no host follows; else a word that is not a tag is the host. */
function decodeOrigin(bytes: Uint8Array, at: number, end: number, into: Message): number {
  if (at < end && bytes[at] === COLON) return skipSpaces(bytes, at + 1, end);
  const start = skipSpaces(bytes, at, end);
  const stop = visibleEnd(bytes, start, end);
  if (stop === start || into.hostEnd > into.hostStart) return start;
  if (bytes[stop - 1] === COLON || bytes[start] === PERCENT || contains(bytes, start, stop, OPEN)) return start;
  into.setHost(start, stop);
  const next = skipSpaces(bytes, stop, end);
  return bytes[next] === COLON && bytes[next + 1] === SPACE ? skipSpaces(bytes, next + 1, end) : next; // ASA: `fw1 : %ASA`
}

function contains(bytes: Uint8Array, start: number, stop: number, byte: number): boolean {
  for (let i = start; i < stop; i += 1) if (bytes[i] === byte) return true;
  return false;
}

/** `tag[pid]: ` and `%FAC-SEV-MNEMONIC: `, either or both. */
function decodeContent(bytes: Uint8Array, at: number, end: number, into: Message): number {
  let next = decodeMnemonic(bytes, at, end, into);
  if (next > at) return next;
  next = decodeTag(bytes, at, end, into);
  return next > at ? decodeMnemonic(bytes, next, end, into) : at;
}

function decodeTag(bytes: Uint8Array, at: number, end: number, into: Message): number {
  const limit = Math.min(end, at + LONGEST_WORD);
  let stop = at;
  while (stop < limit && isVisible(bytes[stop]) && bytes[stop] !== COLON && bytes[stop] !== OPEN) stop += 1;
  if (stop === at || stop >= end) return at;
  const bracket = bytes[stop] === OPEN ? pidEnd(bytes, stop + 1, end) : -1;
  const colon = bracket >= 0 ? bracket + 1 : stop;
  const ended = bytes[colon] === COLON && colon < end;
  if (bracket < 0 && !(ended && (colon + 1 >= end || !isVisible(bytes[colon + 1])))) return at;
  into.setApp(at, stop);
  if (bracket >= 0) into.setPid(stop + 1, bracket);
  const next = ended ? colon + 1 : colon;
  return next < end && bytes[next] === SPACE ? next + 1 : next;
}

function pidEnd(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + LONGEST_WORD);
  for (let next = at; next < limit && isVisible(bytes[next]); next += 1) {
    if (bytes[next] === CLOSE) return next > at ? next : -1;
  }
  return -1;
}

function decodeMnemonic(bytes: Uint8Array, at: number, end: number, into: Message): number {
  const stop = mnemonicEnd(bytes, at, end);
  if (stop < 0) return at;
  into.setMsgid(at, stop);
  const colon = skipSpaces(bytes, stop, end);
  return skipSpaces(bytes, colon + 1, end);
}

/** End of `%SYS-5-CONFIG_I` or `%%10IFNET/3/LINK_UPDOWN(l)` where a colon follows, IOS-XR puts a space between; else -1. */
function mnemonicEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || bytes[at] !== PERCENT) return -1;
  const limit = Math.min(end, at + LONGEST_WORD);
  let stop = at + 1;
  let parts = 0;
  while (stop < limit && isVisible(bytes[stop]) && bytes[stop] !== COLON) {
    if (bytes[stop] === DASH || bytes[stop] === SLASH) parts += 1;
    stop += 1;
  }
  const colon = skipSpaces(bytes, stop, end);
  return parts > 0 && colon < end && bytes[colon] === COLON ? stop : -1;
}
