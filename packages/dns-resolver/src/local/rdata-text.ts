import { parseIPv4, parseIPv6 } from "@stitch/linux-io";
import { parseName } from "../wire/name.ts";
import { TYPE } from "../wire/registry.ts";

/** A field of a zone file line; a quoted one may hold anything. */
export interface Field {
  readonly text: string;
  readonly quoted: boolean;
}

/** Data of one record, or the sentence that says what is wrong. */
export type Rdata = Uint8Array | string;
type Reader = (fields: readonly Field[], origin: Uint8Array) => Rdata;

/** Types that a zone file may have here, by the name that stands in the file (RFC 1035 section 5, RFC 2782, 3596). */
export const ZONE_TYPES: Readonly<Record<string, { readonly type: number; readonly read: Reader }>> = {
  SOA: { type: TYPE.SOA, read: readSoa },
  NS: { type: TYPE.NS, read: nameAfter(0, "NS needs one name") },
  CNAME: { type: TYPE.CNAME, read: nameAfter(0, "CNAME needs one name") },
  PTR: { type: TYPE.PTR, read: nameAfter(0, "PTR needs one name") },
  MX: { type: TYPE.MX, read: nameAfter(1, "MX needs a preference and a name") },
  SRV: { type: TYPE.SRV, read: nameAfter(3, "SRV needs a priority, a weight, a port and a name") },
  TXT: { type: TYPE.TXT, read: readTxt },
  A: { type: TYPE.A, read: address(parseIPv4, "A needs one IPv4 address") },
  AAAA: { type: TYPE.AAAA, read: address(parseIPv6, "AAAA needs one IPv6 address") },
};

function address(parse: (text: string) => Uint8Array | undefined, wanted: string): Reader {
  return (fields) => (fields.length === 1 ? parse(fields[0]?.text ?? "") : undefined) ?? wanted;
}

/** `count` numbers of 16 bits, then a name. */
function nameAfter(count: number, wanted: string): Reader {
  return (fields, origin) => {
    if (fields.length !== count + 1) return wanted;
    const numbers = fields.slice(0, count).map(({ text }) => (/^\d{1,5}$/.test(text) ? Number(text) : 65_536));
    const name = relative(fields[count]?.text ?? "", origin);
    if (name === undefined || numbers.some((number) => number > 65_535)) return wanted;
    return Uint8Array.from([...numbers.flatMap((number) => [number >>> 8, number & 0xff]), ...name]);
  };
}

/** `@` is the origin, and a name without a final dot is below it. */
export function relative(text: string, origin: Uint8Array): Uint8Array | undefined {
  return text === "@" ? origin : parseName(text, origin);
}

function readSoa(fields: readonly Field[], origin: Uint8Array): Rdata {
  const wanted = "SOA needs a server, a mailbox, and serial, refresh, retry, expire, minimum";
  const [server, mailbox, serial, ...times] = fields.map(({ text }) => text);
  const names = [server, mailbox].map((text) => relative(text ?? "", origin));
  const numbers = [/^\d{1,10}$/.test(serial ?? "") ? Number(serial) : undefined, ...times.map(parseTtl)];
  const bad =
    names.includes(undefined) || numbers.length !== 5 || numbers.some((n) => n === undefined || n > 2 ** 32 - 1);
  if (bad) return wanted;
  const out = Buffer.alloc(20);
  for (const [i, number] of numbers.entries()) out.writeUInt32BE(number ?? 0, 4 * i);
  return Uint8Array.from([...(names[0] ?? []), ...(names[1] ?? []), ...out]);
}

function readTxt(fields: readonly Field[]): Rdata {
  const strings = fields.map(({ text }) => unescaped(text));
  if (strings.length === 0) return "TXT needs at least one string";
  if (strings.some((bytes) => bytes.length > 255)) return "a string of TXT has more than 255 bytes: split it in two";
  const data = Uint8Array.from(strings.flatMap((bytes) => [bytes.length, ...bytes]));
  return data.length <= 65_535 ? data : "TXT has more than 65535 bytes";
}

function unescaped(text: string): number[] {
  const bytes: number[] = [];
  for (const [, digits, escaped, plain] of text.matchAll(/\\(\d{3})|\\([\s\S])|([\s\S])/gu)) {
    if (digits === undefined) bytes.push(...Buffer.from(escaped ?? plain ?? ""));
    else bytes.push(Number(digits) & 0xff);
  }
  return bytes;
}

const TTL_UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** `3600`, or BIND's `1h30m`; undefined when it is no TTL of RFC 2181 section 8. */
export function parseTtl(text: string): number | undefined {
  if (!/^(\d+|(\d+[smhdw])+)$/i.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit = "s"] of text.toLowerCase().matchAll(/(\d+)([smhdw])?/g)) {
    total += Number(number) * (TTL_UNITS[unit] ?? 1);
  }
  return total < 2 ** 31 ? total : undefined;
}
