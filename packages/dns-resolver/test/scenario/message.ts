import { zoneEntries } from "../../src/local/zone-lexer.ts";
import { ZONE_TYPES } from "../../src/local/rdata-text.ts";
import { writeOpt } from "../../src/wire/edns.ts";
import { AA, AD, AT, CD, HEADER_BYTES, QR, RA, RD, TC } from "../../src/wire/header.ts";
import { decodeMessage, type Message } from "../../src/wire/message.ts";
import { expandName, formatName, lowerName, parseName } from "../../src/wire/name.ts";
import { put16, put32, u16 } from "../../src/wire/octets.ts";
import { expandRdata } from "../../src/wire/rdata.ts";
import { RCODE, TYPE } from "../../src/wire/registry.ts";
import { SECTIONS, type Entry } from "./rpl.ts";

const HIGH: Readonly<Record<string, number>> = { QR, AA, TC, RD };
const LOW: Readonly<Record<string, number>> = { RA, AD, CD };
const DEFAULT_TTL = 3_600;

/** The message of an entry, as a server or a client writes it: without compression, id 0. */
export function messageOf({ reply, sections }: Entry): Uint8Array {
  const edns = reply.has("EDNS") || reply.has("DO");
  const header = new Uint8Array(HEADER_BYTES);
  for (const word of reply) {
    header[AT.flags] = (header[AT.flags] ?? 0) | (HIGH[word] ?? 0);
    header[AT.lowFlags] = (header[AT.lowFlags] ?? 0) | (LOW[word] ?? 0) | rcodeOf(word);
  }
  for (const [i, section] of SECTIONS.entries()) put16(header, AT.questions + 2 * i, sections[section].length);
  put16(header, AT.additionals, sections.ADDITIONAL.length + (edns ? 1 : 0));
  const records = SECTIONS.slice(1).flatMap((section) => sections[section].map(record));
  const opt = new Uint8Array(11);
  writeOpt(opt, 0, 0, reply.has("DO"));
  return Uint8Array.from(
    Buffer.concat([header, ...sections.QUESTION.map(question), ...records, ...(edns ? [opt] : [])]),
  );
}

function rcodeOf(word: string): number {
  return word in RCODE ? RCODE[word as keyof typeof RCODE] & 0x0f : 0;
}

function nameOf(text: string): Uint8Array {
  const name = parseName(text);
  if (name === undefined) throw new Error(`"${text}" is no name`);
  return name;
}

function question(text: string): Uint8Array {
  const [name = "", , type = ""] = text.split(/\s+/);
  const end = new Uint8Array(4);
  put16(end, 0, typeOf(type));
  put16(end, 2, 1);
  return Buffer.concat([nameOf(name), end]);
}

function typeOf(text: string): number {
  const type = TYPE[text as keyof typeof TYPE];
  if (type === undefined) throw new Error(`"${text}" is no type`);
  return type;
}

/** `owner [ttl] IN type data`. */
function record(text: string): Uint8Array {
  const [entry] = zoneEntries(text);
  const fields = entry !== undefined && "fields" in entry ? entry.fields : [];
  const classAt = fields.findIndex(({ text: field }) => field === "IN");
  const type = fields[classAt + 1]?.text ?? "";
  const data = ZONE_TYPES[type]?.read(fields.slice(classAt + 2), Uint8Array.of(0));
  if (!(data instanceof Uint8Array)) throw new Error(`"${text}" is no record: ${data ?? type}`);
  const fixed = new Uint8Array(10);
  put16(fixed, 0, typeOf(type));
  put16(fixed, 2, 1);
  put32(fixed, 4, classAt === 2 ? Number(fields[1]?.text) : DEFAULT_TTL);
  put16(fixed, 8, data.length);
  return Buffer.concat([nameOf(fields[0]?.text ?? ""), fixed, data]);
}

/** What is compared of a message, for people: a difference shows where it is. */
export function described(bytes: Uint8Array, ttls: boolean): Record<string, unknown> {
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) return { unreadable: decoded.error.kind };
  const message = decoded.value;
  const { flags, lowFlags, rcode, questionEnd } = message;
  const names = [
    ...Object.entries(HIGH).filter(([, bit]) => flags & bit),
    ...Object.entries(LOW).filter(([, bit]) => lowFlags & bit),
  ];
  return {
    flags: names.map(([name]) => name),
    rcode,
    question: `${owner(bytes, HEADER_BYTES)} ${u16(bytes, questionEnd - 4)}`,
    records: message.records
      .filter(({ type }) => type !== TYPE.OPT)
      .map((each) => line(message, each, ttls))
      .toSorted(),
  };
}

function line(
  { bytes }: Message,
  { section, ownerAt, type, ttl, dataAt, dataLength }: Message["records"][number],
  ttls: boolean,
): string {
  const data = Buffer.from(expandRdata(bytes, type, dataAt, dataAt + dataLength)).toString("hex");
  return `${SECTIONS[section + 1]} ${owner(bytes, ownerAt)} ${ttls ? `${ttl} ` : ""}${type} ${data}`;
}

function owner(bytes: Uint8Array, at: number): string {
  const name = expandName(bytes, at, bytes.length);
  return name.ok ? formatName(lowerName(name.value)) : "?";
}

/** Code of the extended error in the OPT record, or undefined. */
export function extendedErrorOf(bytes: Uint8Array): number | undefined {
  const decoded = decodeMessage(bytes);
  const opt = decoded.ok ? decoded.value.records.find(({ type }) => type === TYPE.OPT) : undefined;
  if (opt === undefined) return undefined;
  for (let at = opt.dataAt; at < opt.dataAt + opt.dataLength; at += 4 + u16(bytes, at + 2)) {
    if (u16(bytes, at) === 15) return u16(bytes, at + 4);
  }
  return undefined;
}
