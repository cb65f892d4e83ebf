import { HEADER_BYTES } from "./header.ts";
import { expandName } from "./name.ts";
import { TYPE } from "./registry.ts";

/** Bytes before the first name in the data, of the types whose names may be compressed (RFC 3597 section 4) and SRV. */
const NAME_AFTER: Readonly<Record<number, number>> = {
  [TYPE.NS]: 0,
  [TYPE.CNAME]: 0,
  [TYPE.PTR]: 0,
  [TYPE.SOA]: 0,
  [TYPE.MX]: 2,
  [TYPE.SRV]: 6,
};
const FIXED: Readonly<Record<number, number>> = { [TYPE.A]: 4, [TYPE.AAAA]: 16 };
/** Serial, refresh, retry, expire, minimum. */
export const SOA_NUMBERS = 20;

/**
 * True when the data of the types that carry compressed names, and of addresses, fills exactly its length: a lying
 * RDLENGTH must not pass from an upstream to a client that trusts it. Other types are opaque (RFC 3597).
 */
export function checkRdata(bytes: Uint8Array, type: number, start: number, end: number): boolean {
  const fixed = FIXED[type];
  if (fixed !== undefined) return end - start === fixed;
  const skip = NAME_AFTER[type];
  if (skip === undefined) return true;
  // The header is ours to write: a name that lies there would change with every answer.
  const first = expandName(bytes, start + skip, end, HEADER_BYTES);
  if (!first.ok) return false;
  if (type !== TYPE.SOA) return first.end === end;
  const second = expandName(bytes, first.end, end, HEADER_BYTES);
  return second.ok && second.end + SOA_NUMBERS === end;
}

/** The data with its compressed names, which `checkRdata` has found to be right, written out. */
export function expandRdata(bytes: Uint8Array, type: number, start: number, end: number): Uint8Array {
  const skip = NAME_AFTER[type];
  const first = skip === undefined ? undefined : expandName(bytes, start + skip, end, HEADER_BYTES);
  if (skip === undefined || first?.ok !== true) return bytes.slice(start, end);
  const head = [bytes.subarray(start, start + skip), first.value];
  const second = type === TYPE.SOA ? expandName(bytes, first.end, end, HEADER_BYTES) : undefined;
  if (second?.ok !== true) return Buffer.concat([...head, bytes.subarray(first.end, end)]);
  return Buffer.concat([...head, second.value, bytes.subarray(second.end, end)]);
}
