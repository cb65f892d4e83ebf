import { HEADER_BYTES } from "../wire/header.ts";
import type { Message, RecordAt } from "../wire/message.ts";
import { expandName, sameName } from "../wire/name.ts";
import { put16, put32 } from "../wire/octets.ts";
import { expandRdata } from "../wire/rdata.ts";

/** A message's header and question with some of its records, and where their TTLs are now. */
export interface Rebuilt {
  readonly bytes: Uint8Array;
  readonly ttlsAt: readonly number[];
}

/** The name at offset 12 (RFC 1035 section 4.1.4). */
const QUESTION_POINTER = Uint8Array.of(0xc0, HEADER_BYTES);

/** Writes `kept` anew, without compression: what is left out may hold the names that others point to. */
export function rebuild({ bytes, questionEnd }: Message, kept: readonly RecordAt[]): Rebuilt {
  const parts: Uint8Array[] = [bytes.subarray(0, questionEnd)];
  const ttlsAt: number[] = [];
  let at = questionEnd;
  const asked = ownerAt(bytes, HEADER_BYTES);
  for (const record of kept) {
    const own = ownerAt(bytes, record.ownerAt);
    const owner = sameName(own, asked) ? QUESTION_POINTER : own;
    const data = expandRdata(bytes, record.type, record.dataAt, record.dataAt + record.dataLength);
    ttlsAt.push(at + owner.length + 4);
    parts.push(owner, fixedPart(record, data.length), data);
    at += owner.length + 10 + data.length;
  }
  return { bytes: Buffer.concat(parts), ttlsAt };
}

function fixedPart({ type, class: recordClass, ttl }: RecordAt, dataLength: number): Uint8Array {
  const fixed = new Uint8Array(10);
  put16(fixed, 0, type);
  put16(fixed, 2, recordClass);
  put32(fixed, 4, ttl);
  put16(fixed, 8, dataLength);
  return fixed;
}

function ownerAt(bytes: Uint8Array, at: number): Uint8Array {
  const name = expandName(bytes, at, bytes.length);
  return name.ok ? name.value : new Uint8Array();
}
