import { packImage, type Slab } from "../cache/image.ts";
import { AA, AT, HEADER_BYTES, QR, RA } from "../wire/header.ts";
import { put16, put32, u32 } from "../wire/octets.ts";
import type { Query } from "../wire/query.ts";
import { sameName } from "../wire/name.ts";
import { RCODE, TYPE } from "../wire/registry.ts";
import type { LocalRecord, LocalZone } from "./local-zone.ts";

/** CNAMEs followed within local data; longer chains are loops or mistakes. */
const MOST_CNAMES = 8;

/** One record of an answer, with its owner. */
interface Owned {
  readonly owner: Uint8Array;
  readonly record: LocalRecord;
}

interface Answer {
  readonly rcode: number;
  readonly answers: readonly Owned[];
  readonly authorities: readonly Owned[];
  /** The alias at the end leads to a name that a route answers for. */
  readonly leadsOn?: boolean;
}

/** Who answers for the names that aliases lead to. */
export interface Elsewhere {
  zoneOf(name: Uint8Array): LocalZone | undefined;
  isRouted(name: Uint8Array): boolean;
}

/** Answers `query` from `zone`, and from the local zones that its aliases lead to. */
export function localAnswer(query: Query, zone: LocalZone, elsewhere: Elsewhere, tag: number): Slab {
  return imageOf(query, resolve(nameOf(query), query.type, zone, elsewhere), tag);
}

/** RFC 8482 section 4.2: what ANY gets instead of everything. */
export function anyAnswer(query: Query, tag: number): Slab {
  const data = Buffer.from("\x07RFC8482\x00", "latin1");
  const record: LocalRecord = { type: TYPE.HINFO, ttl: 3_600, data };
  const answers = [{ owner: nameOf(query), record }];
  return imageOf(query, { rcode: RCODE.NOERROR, answers, authorities: [] }, tag);
}

/** Lines for people, a TXT record each, for whoever asks for TXT or ANY; of each as much as one string holds. */
export function textAnswer(query: Query, lines: readonly string[]): Slab {
  const owner = nameOf(query);
  const answers = lines.map((line): Owned => {
    const text = Buffer.from(line).subarray(0, 255);
    return { owner, record: { type: TYPE.TXT, ttl: 0, data: Uint8Array.from([text.length, ...text]) } };
  });
  return imageOf(
    query,
    {
      rcode: RCODE.NOERROR,
      answers: query.type === TYPE.TXT || query.type === TYPE.ANY ? answers : [],
      authorities: [],
    },
    0,
  );
}

function resolve(asked: Uint8Array, type: number, first: LocalZone, elsewhere: Elsewhere): Answer {
  const answers: Owned[] = [];
  let owner = asked;
  let zone: LocalZone | undefined = first;
  for (let hops = 0; zone !== undefined && hops < MOST_CNAMES; hops += 1) {
    const node = zone.node(owner);
    const found = node?.get(type);
    if (found !== undefined) {
      const name = owner;
      return positive([...answers, ...found.map((record) => ({ owner: name, record }))]);
    }
    const alias: LocalRecord | undefined = node?.get(TYPE.CNAME)?.[0];
    if (alias === undefined) return negative(answers, zone, node !== undefined);
    answers.push({ owner, record: alias });
    owner = alias.data;
    // A loop is shown once: an answer has no record twice (RFC 2181 section 5).
    if (answers.some((before) => sameName(before.owner, owner))) return positive(answers);
    zone = elsewhere.zoneOf(owner);
  }
  return { ...positive(answers), leadsOn: zone === undefined && elsewhere.isRouted(owner) };
}

function positive(answers: readonly Owned[]): Answer {
  return { rcode: RCODE.NOERROR, answers, authorities: [] };
}

/** RFC 2308 section 2: the SOA says for how long, and its TTL is no longer than its minimum. */
function negative(answers: readonly Owned[], zone: LocalZone, exists: boolean): Answer {
  const { soa, apex } = zone;
  const ttl = Math.min(soa.ttl, u32(soa.data, soa.data.length - 4));
  const authorities = [{ owner: apex, record: { ...soa, ttl } }];
  return { rcode: exists ? RCODE.NOERROR : RCODE.NXDOMAIN, answers, authorities };
}

function imageOf(query: Query, { rcode, answers, authorities, leadsOn = false }: Answer, tag: number): Slab {
  const questionEnd = HEADER_BYTES + query.keyLength;
  const all = [...answers, ...authorities];
  const asked = Buffer.from(query.key.buffer, query.key.byteOffset, query.nameLength);
  const message = new Uint8Array(all.reduce((sum, { owner, record }) => sum + sizeOf(owner, record), questionEnd));
  message[AT.flags] = QR | AA;
  message[AT.lowFlags] = RA | rcode;
  put16(message, AT.questions, 1);
  put16(message, AT.answers, answers.length);
  put16(message, AT.authorities, authorities.length);
  message.set(query.key.subarray(0, query.keyLength), HEADER_BYTES);
  const ttlsAt: number[] = [];
  let at = questionEnd;
  for (const { owner, record } of all) {
    const isAsked = asked.equals(owner);
    at = writeRecord(message, at, isAsked ? QUESTION_POINTER : owner, record, query.class);
    ttlsAt.push(at - record.data.length - 6);
  }
  const parts = {
    message: message.subarray(0, at),
    nameLength: query.nameLength,
    ttlsAt,
    negative: answers.length === 0,
    leadsOn,
  };
  return packImage(parts, tag);
}

/** RFC 1035 section 4.1.4: the name at offset 12. Owners written so take on the client's case by themselves. */
const QUESTION_POINTER = Uint8Array.of(0xc0, HEADER_BYTES);

function sizeOf(owner: Uint8Array, { data }: LocalRecord): number {
  return owner.length + 10 + data.length;
}

function writeRecord(
  into: Uint8Array,
  at: number,
  owner: Uint8Array,
  { type, ttl, data }: LocalRecord,
  recordClass: number,
): number {
  into.set(owner, at);
  const fixed = at + owner.length;
  put16(into, fixed, type);
  put16(into, fixed + 2, recordClass);
  put32(into, fixed + 4, ttl);
  put16(into, fixed + 8, data.length);
  into.set(data, fixed + 10);
  return fixed + 10 + data.length;
}

function nameOf(query: Query): Uint8Array {
  return query.key.slice(0, query.nameLength);
}
