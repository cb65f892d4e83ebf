import { malformed, type Decoded } from "./decoded.ts";
import { OPT_BYTES } from "./edns.ts";
import { AT, HEADER_BYTES } from "./header.ts";
import { endOfName, isWholeName } from "./name.ts";
import { u16, u32, u8 } from "./octets.ts";
import { checkRdata } from "./rdata.ts";
import { TYPE } from "./registry.ts";

/** Records that one answer may have: real ones have tens, and each costs us four bytes of offsets and a walk. */
export const MOST_RECORDS = 500;

export interface RecordAt {
  /** 0 answer, 1 authority, 2 additional. */
  readonly section: 0 | 1 | 2;
  readonly ownerAt: number;
  readonly type: number;
  readonly class: number;
  /** Seconds as sent (RFC 2181 section 8 leaves the top bit to the reader). */
  readonly ttl: number;
  readonly ttlAt: number;
  readonly dataAt: number;
  readonly dataLength: number;
}

/** A response by offsets into its bytes. */
export interface Message {
  readonly bytes: Uint8Array;
  readonly flags: number;
  readonly lowFlags: number;
  /** All twelve bits, those of the OPT record included. */
  readonly rcode: number;
  readonly questionEnd: number;
  readonly answerEnd: number;
  readonly authorityEnd: number;
  readonly records: readonly RecordAt[];
  readonly edns: boolean;
}

/** Decodes a whole response with one question. Every byte must be accounted for. */
export function decodeMessage(bytes: Uint8Array): Decoded<Message> {
  if (bytes.length < HEADER_BYTES) return malformed("short", bytes.length);
  const answers = u16(bytes, AT.answers);
  const answersAndAuthorities = answers + u16(bytes, AT.authorities);
  const total = answersAndAuthorities + u16(bytes, AT.additionals);
  if (u16(bytes, AT.questions) !== 1 || total > MOST_RECORDS) return malformed("counts", AT.questions);
  const nameEnd = endOfName(bytes, HEADER_BYTES, bytes.length);
  const questionEnd = nameEnd + 4;
  if (nameEnd < 0 || questionEnd > bytes.length) return malformed("name", HEADER_BYTES);
  const ends = { questionEnd, answerEnd: questionEnd, authorityEnd: questionEnd };
  const records: RecordAt[] = [];
  let at = questionEnd;
  for (let i = 0; i < total; i += 1) {
    const section = Number(i >= answers) + Number(i >= answersAndAuthorities);
    const record = decodeRecord(bytes, at, section as 0 | 1 | 2);
    if (!record.ok) return record;
    records.push(record.value);
    at = record.end;
    if (section === 0) ends.answerEnd = at;
    if (section < 2) ends.authorityEnd = at;
  }
  return at === bytes.length ? withEdns(bytes, records, ends) : malformed("trailing", at);
}

/**
 * One resource record (RFC 1035 section 4.1.3).
 *
 *   owner   type(2)   class(2)   TTL(4)   RDLENGTH(2)   RDATA
 */
function decodeRecord(bytes: Uint8Array, ownerAt: number, section: 0 | 1 | 2): Decoded<RecordAt> {
  const at = endOfName(bytes, ownerAt, bytes.length);
  if (at < 0 || !isWholeName(bytes, ownerAt, bytes.length, HEADER_BYTES)) return malformed("name", ownerAt);
  if (at + 10 > bytes.length) return malformed("short", at);
  const type = u16(bytes, at);
  const dataLength = u16(bytes, at + 8);
  const end = at + 10 + dataLength;
  if (end > bytes.length) return malformed("short", at);
  if (!checkRdata(bytes, type, at + 10, end)) return malformed("rdata", at + 10);
  const value: RecordAt = {
    section,
    ownerAt,
    type,
    class: u16(bytes, at + 2),
    ttl: u32(bytes, at + 4),
    ttlAt: at + 4,
    dataAt: at + 10,
    dataLength,
  };
  return { ok: true, value, end };
}

/** RFC 6891 section 6.1.1: one OPT, in the additional section, owned by the root. */
function withEdns(
  bytes: Uint8Array,
  records: readonly RecordAt[],
  { questionEnd, answerEnd, authorityEnd }: Pick<Message, "questionEnd" | "answerEnd" | "authorityEnd">,
): Decoded<Message> {
  const opt = records.find((record) => record.type === TYPE.OPT);
  const several = records.findLast((record) => record.type === TYPE.OPT) !== opt;
  const bad = several || (opt !== undefined && (opt.section !== 2 || u8(bytes, opt.ownerAt) !== 0));
  if (bad) return malformed("edns", opt?.ownerAt ?? 0);
  const low = u8(bytes, AT.lowFlags);
  const high = opt === undefined ? 0 : u8(bytes, opt.dataAt - OPT_BYTES + 5);
  const value: Message = {
    bytes,
    flags: u8(bytes, AT.flags),
    lowFlags: low,
    rcode: (high << 4) | (low & 0x0f),
    questionEnd,
    answerEnd,
    authorityEnd,
    records,
    edns: opt !== undefined,
  };
  return { ok: true, value, end: bytes.length };
}
