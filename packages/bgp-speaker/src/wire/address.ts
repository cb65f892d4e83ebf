import { u16 } from "./bytes.ts";

export type Family = "ipv4" | "ipv6";

export const ADDRESS_BYTES: Readonly<Record<Family, number>> = { ipv4: 4, ipv6: 16 };

/** The longest text of an IPv6 address with an embedded IPv4 one; longer input is refused before it is split. */
const LONGEST_ADDRESS_TEXT = 45;

/** Address text to bytes: 4 for IPv4 (dotted quad only), 16 for IPv6. Zone ids are not part of an address. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (text.length > LONGEST_ADDRESS_TEXT) return undefined;
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Bytes to text; IPv6 in the form of RFC 5952. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length !== ADDRESS_BYTES.ipv4) return formatIpv6(bytes);
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
}

export function addressFamily(text: string): Family | undefined {
  const bytes = parseAddress(text);
  if (bytes === undefined) return undefined;
  return bytes.length === ADDRESS_BYTES.ipv4 ? "ipv4" : "ipv6";
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  if (!parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? "", halves.length === 1);
  const tail = groups(halves[1] ?? "", true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return toBytes([...head, ...Array.from({ length: missing }, () => 0), ...tail]);
}

/** 16-bit groups of one side of `::`; the last may be a dotted quad. */
function groups(text: string, mayEndInQuad: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const found: number[] = [];
  for (const [index, part] of parts.entries()) {
    const quad = mayEndInQuad && index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (quad !== undefined) found.push(((quad[0] ?? 0) << 8) | (quad[1] ?? 0), ((quad[2] ?? 0) << 8) | (quad[3] ?? 0));
    else if (/^[0-9a-f]{1,4}$/i.test(part)) found.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return found;
}

function toBytes(words: readonly number[]): Uint8Array {
  return Uint8Array.from(words.flatMap((word) => [word >>> 8, word & 0xff]));
}

/** Runs once for every prefix of a full table, hence the plain loops here and below. */
function formatIpv6(bytes: Uint8Array): string {
  const { start, length } = longestZeroRun(bytes);
  if (length < 2) return hex(bytes, 0, 8);
  return `${hex(bytes, 0, start)}::${hex(bytes, start + length, 8)}`;
}

/** Words from `from` to `to`, of 16 bits each. */
function hex(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let word = from; word < to; word++) {
    if (word > from) text += ":";
    text += u16(bytes, word * 2).toString(16);
  }
  return text;
}

/** The first of the longest runs of zero words. */
function longestZeroRun(bytes: Uint8Array): { start: number; length: number } {
  let [start, length, run] = [0, 0, 0];
  for (let word = 0; word < 8; word++) {
    run = u16(bytes, word * 2) === 0 ? run + 1 : 0;
    if (run > length) [start, length] = [word + 1 - run, run];
  }
  return { start, length };
}
