import { readOpt } from "./edns.ts";
import { AT, HEADER_BYTES, opcodeOf, QR } from "./header.ts";
import { LONGEST_LABEL, LONGEST_NAME, lowerByte } from "./name.ts";
import { put16, u16, u8 } from "./octets.ts";
import { TYPE } from "./registry.ts";

/** What is wrong with a query; a small integer, because the datagram path allocates nothing. */
export const FAULT = { none: 0, short: 1, response: 2, opcode: 3, format: 4, version: 5, cookieAlone: 6 } as const;
export type Fault = (typeof FAULT)[keyof typeof FAULT];

/** OPT, and one record that is refused by name (TSIG). */
const MOST_ADDITIONALS = 2;

/** One query, decoded in place and used again for the next: the datagram path allocates nothing. */
export class Query {
  /** Lower-cased name on the wire, then type and class as they came: the cache key's bytes. */
  readonly key = new Uint8Array((LONGEST_NAME + 4 + 3) & ~3);
  /** The same, four octets at a time. */
  readonly keyWords = new Uint32Array(this.key.buffer);
  /** Where each label of the name begins in `key`, the root label excluded. */
  readonly labels = new Uint8Array(128);
  labelCount = 0;
  /** Bytes of the name, root label included; 0 while no question has been read. */
  nameLength = 0;
  keyLength = 0;
  id = 0;
  /** Header bytes 2 and 3 as they came. */
  flags = 0;
  lowFlags = 0;
  type = 0;
  class = 0;
  /** EDNS (RFC 6891): whether there was an OPT record, and what it said. */
  edns = false;
  ednsVersion = 0;
  udpSize = 0;
  dnssecOk = false;
  wantsNsid = false;
  /** It was padded (RFC 7830), so its answer may be: RFC 8467 section 4.1. */
  padded = false;
  /** DNS cookie (RFC 7873): where its data begins in the message; length 0 when there is none. */
  cookieAt = 0;
  cookieLength = 0;
  /** The data of the cookie option of the reply; empty while `cookieReply` is false. */
  readonly cookie = new Uint8Array(24);
  cookieReply = false;
}

/** Decodes the `length` bytes at `start` into `query`. Never throws and never reads beyond them. */
export function decodeQuery(bytes: Uint8Array, start: number, length: number, query: Query): Fault {
  reset(query);
  if (length < HEADER_BYTES) return FAULT.short;
  query.id = u16(bytes, start + AT.id);
  query.flags = u8(bytes, start + AT.flags);
  query.lowFlags = u8(bytes, start + AT.lowFlags);
  if ((query.flags & QR) !== 0) return FAULT.response;
  if (opcodeOf(query.flags) !== 0) return FAULT.opcode;
  const limit = start + length;
  const questions = u16(bytes, start + AT.questions);
  if (questions === 0) return readCookieAlone(bytes, start, limit, query);
  if (questions !== 1) return FAULT.format;
  const at = readQuestion(bytes, start + HEADER_BYTES, limit, query);
  if (at < 0) return FAULT.format;
  // A transfer request carries a SOA as authority (RFC 1995); it is refused whatever else it holds.
  if (query.type === TYPE.IXFR) return FAULT.none;
  if (u16(bytes, start + AT.answers) !== 0 || u16(bytes, start + AT.authorities) !== 0) return FAULT.format;
  return readAdditionals(bytes, at, limit, u16(bytes, start + AT.additionals), query);
}

function reset(query: Query): void {
  query.labelCount = 0;
  query.nameLength = 0;
  query.keyLength = 0;
  query.id = 0;
  query.flags = 0;
  query.lowFlags = 0;
  query.type = 0;
  query.class = 0;
  query.edns = false;
  query.ednsVersion = 0;
  query.udpSize = 0;
  query.dnssecOk = false;
  query.wantsNsid = false;
  query.padded = false;
  query.cookieLength = 0;
  query.cookieReply = false;
}

/** Returns where the question ends, or -1. No pointer can be right here: there is nothing before it to point to. */
function readQuestion(bytes: Uint8Array, start: number, limit: number, query: Query): number {
  const { key, labels } = query;
  let at = start;
  for (;;) {
    const label = u8(bytes, at);
    const offset = at - start;
    if (label > LONGEST_LABEL || at + label + 1 > limit || offset + label + 1 > LONGEST_NAME) return -1;
    key[offset] = label;
    for (let i = 1; i <= label; i += 1) key[offset + i] = lowerByte(u8(bytes, at + i));
    at += label + 1;
    if (label === 0) break;
    labels[query.labelCount] = offset;
    query.labelCount += 1;
  }
  if (at + 4 > limit) return -1;
  const nameLength = at - start;
  for (let i = 0; i < 4; i += 1) key[nameLength + i] = u8(bytes, at + i);
  query.nameLength = nameLength;
  query.keyLength = nameLength + 4;
  query.type = u16(bytes, at);
  query.class = u16(bytes, at + 2);
  return at + 4;
}

/** RFC 7873 section 5.4: who wants a server's cookie and nothing else asks no question. */
function readCookieAlone(bytes: Uint8Array, start: number, limit: number, query: Query): Fault {
  if (u16(bytes, start + AT.answers) !== 0 || u16(bytes, start + AT.authorities) !== 0) return FAULT.format;
  const fault = readAdditionals(bytes, start + HEADER_BYTES, limit, u16(bytes, start + AT.additionals), query);
  if (fault !== FAULT.none) return fault;
  return query.cookieLength > 0 ? FAULT.cookieAlone : FAULT.format;
}

/** One OPT at most, nothing else, nothing left over. */
function readAdditionals(bytes: Uint8Array, start: number, limit: number, count: number, query: Query): Fault {
  if (count > MOST_ADDITIONALS) return FAULT.format;
  let at = start;
  for (let i = 0; i < count; i += 1) {
    at = readOpt(bytes, at, limit, query);
    if (at < 0) return FAULT.format;
  }
  if (query.edns && query.ednsVersion !== 0) return FAULT.version;
  return at === limit ? FAULT.none : FAULT.format;
}

/** Makes `query` ask for `name` (lower case, uncompressed), without any bytes of a client. */
export function adoptName(query: Query, name: Uint8Array, type: number, recordClass: number): void {
  reset(query);
  query.key.set(name);
  for (let at = 0; at < name.length && u8(name, at) !== 0; at += u8(name, at) + 1) {
    query.labels[query.labelCount] = at;
    query.labelCount += 1;
  }
  query.nameLength = name.length;
  query.keyLength = name.length + 4;
  put16(query.key, name.length, type);
  put16(query.key, name.length + 2, recordClass);
  query.type = type;
  query.class = recordClass;
}
