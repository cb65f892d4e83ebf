import type { Message, RecordAt } from "../wire/message.ts";
import { HEADER_BYTES } from "../wire/header.ts";
import { isBelow, nameKey } from "../wire/name.ts";
import { u16 } from "../wire/octets.ts";
import { CLASS, TYPE } from "../wire/registry.ts";

/** CNAMEs of one answer that are followed to find out whether it says yes or no. */
const MOST_CNAMES = 16;
const PROOFS: ReadonlySet<number> = new Set([TYPE.NSEC, TYPE.NSEC3, TYPE.RRSIG]);

export interface Relevant {
  /** Answers on the way from the question to its answer, in their order. */
  readonly answers: readonly RecordAt[];
  /** Whether the way ends in a record of the type asked for. */
  readonly hasTarget: boolean;
  /** The alias, in lower case, at which the way leaves the names that this upstream is asked for. */
  readonly leadsTo?: Uint8Array;
  /** Where the way ends, in lower case, when there is no target: what a "no" is said about. */
  readonly end?: Uint8Array;
  /** The way comes back to a name that it has passed: there is no answer. */
  readonly loops: boolean;
}

/** Whether an upstream is believed about this name, in lower case. */
export type IsOwn = (name: Uint8Array) => boolean;

/**
 * Follows the CNAME chain from the question. Records of other names are left out: the upstream of one zone must not plant
 * names of another in the caches of our clients (CVE-2021-25220 class); and where an alias leads to a name of another route,
 * what this upstream says about it is another's to say (split horizon: the outside knows nothing of the inside). Every owner is expanded once: an answer of 500
 * records that all take 100 jumps must not cost 16 walks over them (CVE-2024-8508 class).
 */
export function relevantAnswers({ bytes, questionEnd, records }: Message, isOwn: IsOwn): Relevant {
  const answers = records.filter((record) => record.section === 0 && record.class === CLASS.IN);
  const asked = u16(bytes, questionEnd - 4);
  // Nearly all answers: every record is of the name and the type that were asked for, and no chain is to be followed.
  const direct = answers.every(({ ownerAt, type }) => type === asked && isQuestionsName(bytes, ownerAt));
  if (direct && answers.length > 0) return { answers, hasTarget: true, loops: false };
  const byOwner = Map.groupBy(answers, ({ ownerAt }) => nameKey(bytes, ownerAt));
  const dnames = dnamesOf(byOwner, isOwn);
  const kept = new Set<RecordAt>();
  const passed = new Set<string>();
  let owner = nameKey(bytes, HEADER_BYTES);
  while (passed.size < MOST_CNAMES && !passed.has(owner)) {
    passed.add(owner);
    const here = byOwner.get(owner) ?? [];
    for (const record of here) if (belongs(record.type, asked)) kept.add(record);
    for (const [key, above] of dnames) if (isUnder(owner, key)) for (const record of above) kept.add(record);
    const hasTarget = here.some(({ type }) => type === asked);
    const alias = here.find(({ type }) => type === TYPE.CNAME);
    if (hasTarget || alias === undefined) {
      return { answers: inOrder(answers, kept), hasTarget, loops: false, end: Buffer.from(owner, "latin1") };
    }
    owner = nameKey(bytes, alias.dataAt);
    const leadsTo = Buffer.from(owner, "latin1");
    if (!isOwn(leadsTo)) return { answers: inOrder(answers, kept), hasTarget, leadsTo, loops: false };
  }
  return { answers: inOrder(answers, kept), hasTarget: false, loops: passed.has(owner) };
}

function inOrder(answers: readonly RecordAt[], kept: ReadonlySet<RecordAt>): readonly RecordAt[] {
  return answers.filter((record) => kept.has(record));
}

function belongs(type: number, asked: number): boolean {
  return type === asked || type === TYPE.CNAME || type === TYPE.RRSIG;
}

/** RFC 6672: what a CNAME of the chain was made from stands above its owner. With signatures, and no more than CNAMEs. */
function dnamesOf(
  byOwner: ReadonlyMap<string, readonly RecordAt[]>,
  isOwn: IsOwn,
): (readonly [string, readonly RecordAt[]])[] {
  return [...byOwner]
    .filter(([key, records]) => records.some(({ type }) => type === TYPE.DNAME) && isOwn(Buffer.from(key, "latin1")))
    .slice(0, MOST_CNAMES)
    .map(([key, records]) => [key, records.filter(({ type }) => type === TYPE.DNAME || type === TYPE.RRSIG)]);
}

function isUnder(owner: string, key: string): boolean {
  return owner !== key && isBelow(Buffer.from(owner, "latin1"), Buffer.from(key, "latin1"));
}

/** The SOA of a "no" about `end`; one of a zone that `end` is not in says nothing about it (RFC 2308 section 3). */
export function soaOf({ bytes, records }: Message, end: Uint8Array | undefined): RecordAt | undefined {
  if (end === undefined) return undefined;
  return records.find(
    ({ section, type, ownerAt }) =>
      section === 1 && type === TYPE.SOA && isBelow(end, Buffer.from(nameKey(bytes, ownerAt), "latin1")),
  );
}

/** A "no" has its SOA and, with DO, proofs; a "yes" has proofs where a wildcard or an unsigned zone needs them. */
export function relevantAuthorities(
  { records }: Message,
  positive: boolean,
  dnssecOk: boolean,
  soa?: RecordAt,
): readonly RecordAt[] {
  const authorities = records.filter(({ section }) => section === 1);
  const signed = dnssecOk && (!positive || authorities.some(({ type }) => type === TYPE.NSEC || type === TYPE.NSEC3));
  return authorities.filter((record) => record === soa || (signed && PROOFS.has(record.type)));
}

/** The name is nothing but a pointer to the question, as nearly every server writes it. */
function isQuestionsName(bytes: Uint8Array, at: number): boolean {
  return u16(bytes, at) === (0xc000 | HEADER_BYTES);
}
