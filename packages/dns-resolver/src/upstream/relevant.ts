import type { Message, RecordAt } from "../wire/message.ts";
import { HEADER_BYTES } from "../wire/header.ts";
import { isBelow, nameKey } from "../wire/name.ts";
import { u16 } from "../wire/octets.ts";
import { TYPE } from "../wire/registry.ts";

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
  /** Where in the message the name stands that the way ends at. */
  readonly endAt: number;
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
  const answers = records.filter(({ section }) => section === 0);
  const asked = u16(bytes, questionEnd - 4);
  // Nearly all answers: every record is of the name and the type that were asked for, and no chain is to be followed.
  const direct = answers.every(({ ownerAt, type }) => type === asked && isQuestionsName(bytes, ownerAt));
  if (direct && answers.length > 0) return { answers, hasTarget: true, endAt: HEADER_BYTES, loops: false };
  const byOwner = Map.groupBy(answers, ({ ownerAt }) => keyAt(bytes, ownerAt));
  const dnames = dnamesOf(byOwner, isOwn);
  const kept = new Set<RecordAt>();
  const passed = new Set<string>();
  let endAt: number = HEADER_BYTES;
  let owner = keyAt(bytes, endAt);
  while (passed.size < MOST_CNAMES && !passed.has(owner)) {
    passed.add(owner);
    const here = byOwner.get(owner) ?? [];
    for (const record of here) if (belongs(record.type, asked)) kept.add(record);
    for (const [key, above] of dnames) if (isUnder(owner, key)) for (const record of above) kept.add(record);
    const hasTarget = here.some(({ type }) => type === asked);
    const alias = here.find(({ type }) => type === TYPE.CNAME);
    if (hasTarget || alias === undefined) return { answers: inOrder(answers, kept), hasTarget, endAt, loops: false };
    endAt = alias.dataAt;
    owner = keyAt(bytes, endAt);
    const leadsTo = Buffer.from(owner, "latin1");
    if (!isOwn(leadsTo)) return { answers: inOrder(answers, kept), hasTarget, leadsTo, endAt, loops: false };
  }
  return { answers: inOrder(answers, kept), hasTarget: false, endAt, loops: passed.has(owner) };
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
  return owner !== key && isAtOrUnder(owner, key);
}

function isAtOrUnder(owner: string, key: string): boolean {
  return isBelow(Buffer.from(owner, "latin1"), Buffer.from(key, "latin1"));
}

/**
 * A "no" about the name at `noAt` has its SOA and, with DO, proofs; a "yes", without `noAt`, has proofs where a wildcard or an
 * unsigned zone needs them. A SOA speaks for the names at and below its owner: one of another zone is left out, for by its
 * numbers an upstream would set how long a name is gone that is not its to speak of.
 */
export function relevantAuthorities(
  { bytes, records }: Message,
  noAt: number | undefined,
  dnssecOk: boolean,
): readonly RecordAt[] {
  const authorities = records.filter(({ section }) => section === 1);
  const gone = noAt === undefined ? undefined : keyAt(bytes, noAt);
  const hasProof = authorities.some(({ type }) => type === TYPE.NSEC || type === TYPE.NSEC3);
  const signed = dnssecOk && (gone !== undefined || hasProof);
  return authorities.filter(({ type, ownerAt }) => {
    if (type === TYPE.SOA) return gone !== undefined && isAtOrUnder(gone, keyAt(bytes, ownerAt));
    return signed && PROOFS.has(type);
  });
}

function keyAt(bytes: Uint8Array, at: number): string {
  return nameKey(bytes, at, bytes.length);
}

/** The name is nothing but a pointer to the question, as nearly every server writes it. */
function isQuestionsName(bytes: Uint8Array, at: number): boolean {
  return u16(bytes, at) === (0xc000 | HEADER_BYTES);
}
