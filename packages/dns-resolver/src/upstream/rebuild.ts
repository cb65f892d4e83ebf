import { HEADER_BYTES } from "../wire/header.ts";
import type { RecordAt } from "../wire/message.ts";
import { expandName, sameName } from "../wire/name.ts";
import { put16, put32 } from "../wire/octets.ts";
import { expandRdata } from "../wire/rdata.ts";

/** Header and question with some records behind them, and where their TTLs are. */
export interface Rebuilt {
  readonly bytes: Uint8Array;
  readonly ttlsAt: readonly number[];
}

/** A record, the message that it is in, and the TTL that it shall have. */
export interface Taken {
  readonly from: Uint8Array;
  readonly record: RecordAt;
  readonly ttl: number;
}

/** The name at offset 12 (RFC 1035 section 4.1.4). */
const QUESTION_POINTER = Uint8Array.of(0xc0, HEADER_BYTES);

/** Writes `taken` anew behind `head`, without compression: what is left out may hold the names that others point to. */
export function rebuild(head: Uint8Array, taken: readonly Taken[]): Rebuilt {
  const parts: Uint8Array[] = [head];
  const ttlsAt: number[] = [];
  let at = head.length;
  const asked = ownerAt(head, HEADER_BYTES);
  for (const { from, record, ttl } of taken) {
    const own = ownerAt(from, record.ownerAt);
    const owner = sameName(own, asked) ? QUESTION_POINTER : own;
    const data = expandRdata(from, record.type, record.dataAt, record.dataAt + record.dataLength);
    ttlsAt.push(at + owner.length + 4);
    parts.push(owner, fixedPart(record, ttl, data.length), data);
    at += owner.length + 10 + data.length;
  }
  return { bytes: Buffer.concat(parts), ttlsAt };
}

function fixedPart({ type, class: recordClass }: RecordAt, ttl: number, dataLength: number): Uint8Array {
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
