import { malformed, type Decoded } from "./decoded.ts";
import { u8 } from "./octets.ts";

/** RFC 1035 section 2.3.4. */
export const LONGEST_NAME = 255;
export const LONGEST_LABEL = 63;
/** A name of 255 bytes has at most 127 labels; more pointer jumps than that are an attack (CVE-2024-8508 class). */
const MOST_JUMPS = 127;

/** Where a name ends that may finish in a pointer, which must point backwards and is not followed; -1 when it is none. */
export function endOfName(bytes: Uint8Array, start: number, limit: number): number {
  let at = start;
  while (at < limit) {
    const length = u8(bytes, at);
    if (length === 0) return at - start < LONGEST_NAME ? at + 1 : -1;
    if (length >= 0xc0) return at + 2 <= limit && pointerAt(bytes, at) < start ? at + 2 : -1;
    if (length > LONGEST_LABEL || at - start > LONGEST_NAME) return -1;
    at += length + 1;
  }
  return -1;
}

function pointerAt(bytes: Uint8Array, at: number): number {
  return ((u8(bytes, at) & 0x3f) << 8) | u8(bytes, at + 1);
}

/** Where names are put together before they are copied out. */
const scratch = new Uint8Array(LONGEST_NAME);
const scratchText = Buffer.from(scratch.buffer);
/** What the last walk found: the name's length, and where it ends in the message. */
let walkedLength = 0;
let walkedEnd = 0;

/**
 * Walks the name at `start` into `scratch`, pointers followed. Every jump goes strictly backwards and none to before
 * `floor`, so it ends. Returns "" or what is wrong, with the place in `walkedEnd`.
 */
function walk(bytes: Uint8Array, start: number, limit: number, floor: number): "" | "pointer" | "name" {
  let length = 0;
  let at = start;
  let before = start;
  let end = -1;
  for (let jumps = 0; at < limit;) {
    const label = u8(bytes, at);
    if (label >= 0xc0) {
      const target = pointerAt(bytes, at);
      walkedEnd = at;
      if (at + 2 > limit || target >= before || target < floor || jumps >= MOST_JUMPS) return "pointer";
      if (end < 0) end = at + 2;
      jumps += 1;
      at = target;
      before = target;
      continue;
    }
    if (label > LONGEST_LABEL || length + label + 1 > LONGEST_NAME || at + label + 1 > limit) break;
    for (let i = 0; i <= label; i += 1) scratch[length + i] = u8(bytes, at + i);
    length += label + 1;
    at += label + 1;
    if (label > 0) continue;
    walkedLength = length;
    walkedEnd = end < 0 ? at : end;
    return "";
  }
  walkedEnd = at;
  return "name";
}

/** The whole name, uncompressed and in its own case; no pointer to before `floor`. */
export function expandName(bytes: Uint8Array, start: number, limit: number, floor = 0): Decoded<Uint8Array> {
  const fault = walk(bytes, start, limit, floor);
  if (fault !== "") return malformed(fault, walkedEnd);
  return { ok: true, value: scratch.slice(0, walkedLength), end: walkedEnd };
}

/** Whether `expandName` would succeed; allocates nothing. */
export function isWholeName(bytes: Uint8Array, start: number, limit: number, floor = 0): boolean {
  return walk(bytes, start, limit, floor) === "";
}

/** The whole name in lower case as a key, one character an octet; "" when there is none. */
export function nameKey(bytes: Uint8Array, start: number, limit = bytes.length): string {
  if (walk(bytes, start, limit, 0) !== "") return "";
  for (let i = 0; i < walkedLength; i += 1) scratch[i] = lowerByte(u8(scratch, i));
  return scratchText.toString("latin1", 0, walkedLength);
}

/** ASCII only (RFC 4343): what lies above is data, and length bytes are below `A`. */
export function lowerByte(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

export function lowerName(name: Uint8Array): Uint8Array {
  const lower = name.slice();
  for (let i = 0; i < lower.length; i += 1) lower[i] = lowerByte(u8(lower, i));
  return lower;
}

export function sameName(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => lowerByte(byte) === lowerByte(b[i] ?? 0));
}

/** True when `name` is `suffix` or below it. Compares labels, so `notcorp.example` is not below `corp.example`. */
export function isBelow(name: Uint8Array, suffix: Uint8Array): boolean {
  let at = 0;
  while (name.length - at > suffix.length) at += u8(name, at) + 1;
  return name.length - at === suffix.length && sameName(name.subarray(at), suffix);
}

/** Without its first label; the root stays the root. */
export function parentName(name: Uint8Array): Uint8Array {
  return name.length <= 1 ? name : name.subarray(u8(name, 0) + 1);
}

/** What may stand in a name without an escape: `caf\u00e9.example` or a stray blank would be a name that nobody asks for. */
const PLAIN = /^[\x21-\x5b\x5d-\x7e]$/;

/** Reads `www.example.com`, `\046` and `\.` escapes included; undefined when it cannot be a name. */
export function parseName(text: string, origin: Uint8Array = Uint8Array.of(0)): Uint8Array | undefined {
  if (text === "" || text === ".") return text === "." ? Uint8Array.of(0) : undefined;
  const labels: number[][] = [[]];
  for (const [, digits, escaped, dot, plain] of text.matchAll(/\\(\d{3})|\\(\D)|(\.)|([\s\S])/g)) {
    if (plain !== undefined && !PLAIN.test(plain)) return undefined;
    if (dot !== undefined) labels.push([]);
    else labels.at(-1)?.push(digits === undefined ? ((escaped ?? plain)?.charCodeAt(0) ?? 0) : Number(digits));
  }
  const absolute = labels.at(-1)?.length === 0;
  if (absolute) labels.pop();
  if (labels.some((label) => label.length === 0 || label.length > LONGEST_LABEL || label.some((b) => b > 255))) {
    return undefined;
  }
  const tail = absolute ? [0] : [...origin];
  const name = Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), ...tail]);
  return name.length <= LONGEST_NAME ? name : undefined;
}

/** For people: escapes what is not plain, so that no two names look the same. */
export function formatName(name: Uint8Array): string {
  if (name.length <= 1) return ".";
  let text = "";
  for (let at = 0; u8(name, at) !== 0; at += u8(name, at) + 1) {
    for (const byte of name.subarray(at + 1, at + 1 + u8(name, at))) text += formatByte(byte);
    text += ".";
  }
  return text;
}

function formatByte(byte: number): string {
  if (byte === 0x2e || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte <= 0x20 || byte >= 0x7f) return `\\${String(byte).padStart(3, "0")}`;
  return String.fromCharCode(byte);
}
