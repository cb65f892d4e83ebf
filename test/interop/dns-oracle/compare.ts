import type { Put } from "./questions.ts";
import { FORGED_DATA } from "./message.ts";
import { TYPE, type ReadRecord, type Reply } from "./wire.ts";

/** What two replies to the same question differ in. */
export type Difference = "rcode" | "answers" | "ttl" | "soa" | "soa-ttl" | "flags" | "no-reply" | "size" | "forged";

export interface Compared {
  readonly put: Put;
  readonly ours: Reply | undefined;
  readonly theirs: Reply | undefined;
  readonly differences: readonly Difference[];
  /** For how long records may have been in one cache and not in the other. */
  readonly seconds: number;
}

/** The longest reply that the client takes. */
export function largest({ tcp, edns }: Put): number {
  return tcp ? 65_535 : edns === undefined ? 512 : Math.min(1_232, Math.max(512, edns));
}

const keyOf = ({ owner, type, class: recordClass, data }: ReadRecord): string =>
  `${owner} ${recordClass} ${type} ${data}`;
/** As a set: what stands twice is once. */
const setOf = (records: readonly ReadRecord[]): string => [...new Set(records.map(keyOf))].toSorted().join("\n");

/** TTLs of the same record that are further apart than `seconds`. */
function ttlsDiffer(ours: readonly ReadRecord[], theirs: readonly ReadRecord[], seconds: number): boolean {
  const known = new Map(theirs.map((record) => [keyOf(record), record.ttl]));
  return ours.some((record) => Math.abs((known.get(keyOf(record)) ?? record.ttl) - record.ttl) > seconds);
}

const soas = ({ authorities }: Reply): readonly ReadRecord[] => authorities.filter(({ type }) => type === TYPE.SOA);

const flags = ({ aa, tc, rd, ra, ad, cd, edns }: Reply): string => [aa, tc, rd, ra, ad, cd, edns].join(" ");

/** `seconds`: how long the two may have had the records in their caches for different times. */
export function differences(
  put: Put,
  ours: Reply | undefined,
  theirs: Reply | undefined,
  seconds: number,
): Difference[] {
  if (ours === undefined || theirs === undefined) return ours === theirs ? [] : ["no-reply"];
  const found: Difference[] = [];
  if (ours.rcode !== theirs.rcode) found.push("rcode");
  if (setOf(ours.answers) !== setOf(theirs.answers)) found.push("answers");
  else if (ttlsDiffer(ours.answers, theirs.answers, seconds)) found.push("ttl");
  if (setOf(soas(ours)) !== setOf(soas(theirs))) found.push("soa");
  else if (ttlsDiffer(soas(ours), soas(theirs), seconds)) found.push("soa-ttl");
  if (flags(ours) !== flags(theirs)) found.push("flags");
  if (ours.size > largest(put)) found.push("size");
  if (ours.answers.some(({ data }) => data === FORGED_DATA)) found.push("forged");
  return found;
}
