import type { ImageParts } from "../cache/image.ts";
import { copied } from "../wire/blocks.ts";
import { AT, HEADER_BYTES, QR, RA } from "../wire/header.ts";
import type { Message, RecordAt } from "../wire/message.ts";
import { put16, put32, u32 } from "../wire/octets.ts";
import { RCODE, TYPE } from "../wire/registry.ts";
import { rebuild } from "./rebuild.ts";
import { relevantAnswers, relevantAuthorities, soaOf, type IsOwn } from "./relevant.ts";

export interface TtlLimits {
  /** Seconds. */
  readonly maxTtl: number;
  readonly negativeTtl: number;
}

/** What an upstream's response is worth: an answer and for how long, or why the next upstream should be asked. */
export type Digest =
  | { readonly kind: "answer"; readonly parts: ImageParts; readonly ttl: number }
  | { readonly kind: "alias"; readonly alias: Alias }
  | { readonly kind: "loop" }
  | { readonly kind: "useless"; readonly why: string };

/** The part of an answer that its upstream may give: an alias leads on to a name that another one is asked for. */
export interface Alias {
  readonly message: Message;
  readonly answers: readonly RecordAt[];
  /** Proofs for `answers`, where the client wants them. */
  readonly authorities: readonly RecordAt[];
  readonly leadsTo: Uint8Array;
  /** It leads on within the names of the same upstream, which has not followed it. */
  readonly within: boolean;
}

/** RFC 1035 section 4.2.2, less room for an OPT record of ours: written out, an answer may outgrow what it came in. */
export const LARGEST_MESSAGE = 65_535 - 512;
const RCODE_NAMES: Readonly<Record<number, string>> = { 1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED" };

/**
 * Turns a matched response into an image: our own header, the question, the answers that belong to it, the authorities
 * where they carry meaning (a SOA for "no", proofs for DO), TTLs capped. The rest is dropped: nothing but the answer to the
 * question asked ever leaves here (CVE-2021-25220 class). `ttl` 0 means: give it to those who wait and do not keep it.
 */
export function digest(
  message: Message,
  dnssecOk: boolean,
  limits: TtlLimits,
  isOwn: IsOwn,
  isAskedHere: IsOwn = () => false,
): Digest {
  const { rcode } = message;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) {
    return { kind: "useless", why: `answered ${RCODE_NAMES[rcode] ?? `rcode ${rcode}`}` };
  }
  if (isReferral(message)) return { kind: "useless", why: "answered with a referral" };
  const { answers, hasTarget, leadsTo, loops, end } = relevantAnswers(message, isOwn);
  if (loops) return { kind: "loop" };
  if (leadsTo !== undefined) {
    const authorities = aliasProofs(message, dnssecOk);
    return { kind: "alias", alias: { message, answers, authorities, leadsTo, within: false } };
  }
  const positive = rcode === RCODE.NOERROR && hasTarget;
  const soa = positive ? undefined : soaOf(message, end);
  if (end !== undefined && stopsShort(message, answers, positive, soa) && isAskedHere(end)) {
    const authorities = aliasProofs(message, dnssecOk);
    return { kind: "alias", alias: { message, answers, authorities, leadsTo: end, within: true } };
  }
  const authorities = relevantAuthorities(message, positive, dnssecOk, soa);
  const kept = [...answers, ...authorities];
  const ttl = positive ? lowest(kept, limits.maxTtl) : negativeTtl(message, answers, soa, limits);
  const { bytes, ttlsAt } = withOnly(message, kept);
  if (bytes.length > LARGEST_MESSAGE) return { kind: "useless", why: "answered with more than fits a message" };
  const cap = positive ? limits.maxTtl : ttl;
  for (const [i, { ttl: sent }] of kept.entries()) put32(bytes, ttlsAt[i] ?? 0, Math.min(sent, cap));
  writeHeader(bytes, rcode, answers.length, authorities.length);
  const nameLength = message.questionEnd - 4 - HEADER_BYTES;
  const aliased = answers.some(({ type }) => type === TYPE.CNAME);
  return { kind: "answer", parts: { message: bytes, nameLength, ttlsAt, negative: !positive, aliased }, ttl };
}

/**
 * An alias, and not a word about what it leads to: many a load balancer answers so, and no client's stub can follow
 * (RFC 1034 section 4.3.1 leaves that to us).
 */
function stopsShort({ rcode }: Message, answers: readonly RecordAt[], positive: boolean, soa?: RecordAt): boolean {
  return rcode === RCODE.NOERROR && !positive && soa === undefined && answers.some(({ type }) => type === TYPE.CNAME);
}

/** With a SOA the authorities speak of the name that the alias leads to, and that is not this upstream's. */
function aliasProofs(message: Message, dnssecOk: boolean): readonly RecordAt[] {
  const says = message.records.some(({ section, type }) => section === 1 && type === TYPE.SOA);
  return says ? [] : relevantAuthorities(message, true, dnssecOk);
}

/** A copy of the message up to the last of `kept`, as it is when nothing before that is left out, else rebuilt. */
function withOnly(message: Message, kept: readonly RecordAt[]): { bytes: Uint8Array; ttlsAt: readonly number[] } {
  const { bytes, records, questionEnd } = message;
  const last = kept.at(-1);
  if (last !== undefined && records[kept.length - 1] !== last) {
    return rebuild(
      bytes.subarray(0, questionEnd),
      kept.map((record) => ({ from: bytes, record, ttl: record.ttl })),
    );
  }
  const end = last === undefined ? questionEnd : last.dataAt + last.dataLength;
  return { bytes: copied(bytes, 0, end), ttlsAt: kept.map(({ ttlAt }) => ttlAt) };
}

/** Our own header over an answer: what the upstream said in its own stays there. */
export function writeHeader(bytes: Uint8Array, rcode: number, answers: number, authorities: number): void {
  put16(bytes, AT.id, 0);
  bytes[AT.flags] = QR;
  bytes[AT.lowFlags] = RA | rcode;
  put16(bytes, AT.answers, answers);
  put16(bytes, AT.authorities, authorities);
  put16(bytes, AT.additionals, 0);
}

/** Sent on by a server that is not recursive: it knows somebody who knows. */
function isReferral({ rcode, records }: Message): boolean {
  const has = (section: number, type?: number): boolean =>
    records.some((record) => record.section === section && (type === undefined || record.type === type));
  return rcode === RCODE.NOERROR && !has(0) && has(1, TYPE.NS) && !has(1, TYPE.SOA);
}

/** RFC 8767 section 4: a TTL with the top bit set is large, not zero; the cap then applies. */
export function lowest(records: readonly { readonly ttl: number }[], cap: number): number {
  return records.reduce((least, { ttl }) => Math.min(least, ttl), cap);
}

/** RFC 2308 section 5: the SOA's TTL or its minimum, whichever is less; without a SOA, "no" is not kept. */
function negativeTtl(
  { bytes }: Message,
  answers: readonly RecordAt[],
  soa: RecordAt | undefined,
  limits: TtlLimits,
): number {
  if (soa === undefined) return 0;
  const minimum = u32(bytes, soa.dataAt + soa.dataLength - 4);
  return lowest(answers, Math.min(soa.ttl, minimum, limits.negativeTtl));
}
