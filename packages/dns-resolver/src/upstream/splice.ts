import { isCut, MESSAGE_AT, NEGATIVE, WORD, type ImageParts, type Slab } from "../cache/image.ts";
import { AT, HEADER_BYTES } from "../wire/header.ts";
import { decodeMessage, MOST_RECORDS, type Message, type RecordAt } from "../wire/message.ts";
import { nameKey } from "../wire/name.ts";
import { u8 } from "../wire/octets.ts";
import { RCODE, TYPE } from "../wire/registry.ts";
import { LARGEST_MESSAGE, lowest, writeHeader, type Alias } from "./digest.ts";
import { rebuild, type Taken } from "./rebuild.ts";

/** The answer for the name that an alias leads to. */
export interface Rest {
  readonly image: Slab;
  /** Seconds since its TTLs were right. */
  readonly age: number;
}

export type Spliced =
  | { readonly kind: "answer"; readonly parts: ImageParts; readonly ttl: number }
  | { readonly kind: "loop" }
  | { readonly kind: "too-large" };

/**
 * One answer from two: the aliases that one route gave, and behind them what another says of the name that they lead to,
 * its "no" included. The answer lives as long as the shortest of its records, and no longer than `cap` seconds.
 */
export function splice({ message, answers, authorities }: Alias, { image, age }: Rest, cap: number): Spliced {
  const length = (image.words[WORD.lengths] ?? 0) >>> 16;
  const rest = decodeMessage(image.bytes.subarray(MESSAGE_AT, MESSAGE_AT + length));
  if (!rest.ok) return { kind: "too-large" };
  if (sharesAlias(message, answers, rest.value)) return { kind: "loop" };
  const own = (record: RecordAt): Taken => ({ from: message.bytes, record, ttl: Math.min(record.ttl, cap) });
  const others = (section: number): Taken[] =>
    rest.value.records
      .filter((record) => record.section === section)
      .map((record) => ({ from: rest.value.bytes, record, ttl: Math.min(Math.max(0, record.ttl - age), cap) }));
  const allAnswers = [...answers.map(own), ...others(0)];
  const all = [...allAnswers, ...authorities.map(own), ...others(1)];
  const { bytes, ttlsAt } = rebuild(message.bytes.subarray(0, message.questionEnd), all);
  if (bytes.length > LARGEST_MESSAGE || all.length > MOST_RECORDS) return { kind: "too-large" };
  writeHeader(bytes, u8(rest.value.bytes, AT.lowFlags) & 0x0f, allAnswers.length, all.length - allAnswers.length);
  const negative = ((image.words[WORD.state] ?? 0) & NEGATIVE) !== 0;
  const nameLength = message.questionEnd - 4 - HEADER_BYTES;
  return {
    kind: "answer",
    parts: { message: bytes, nameLength, ttlsAt, negative, spliced: true, aliased: true, cut: isCut(image, 0) },
    ttl: lowest(all, cap),
  };
}

/** The aliases alone, where a list answers what they lead to: nobody is asked for that. */
export function cutOff({ message, answers }: Pick<Alias, "message" | "answers">, cap: number): Spliced {
  const taken = answers.map((record) => ({ from: message.bytes, record, ttl: Math.min(record.ttl, cap) }));
  const { bytes, ttlsAt } = rebuild(message.bytes.subarray(0, message.questionEnd), taken);
  if (bytes.length > LARGEST_MESSAGE) return { kind: "too-large" };
  writeHeader(bytes, RCODE.NOERROR, answers.length, 0);
  const nameLength = message.questionEnd - 4 - HEADER_BYTES;
  const kind = { negative: false, spliced: true, aliased: true, cut: true };
  return { kind: "answer", parts: { message: bytes, nameLength, ttlsAt, ...kind }, ttl: lowest(answers, cap) };
}

/** An alias of ours stands in the rest as well: it leads back here, now or by what was cached before it was changed. */
function sharesAlias(message: Message, answers: readonly RecordAt[], rest: Message): boolean {
  const ours = new Set(aliasOwners(message.bytes, answers));
  return aliasOwners(rest.bytes, rest.records).some((owner) => ours.has(owner));
}

function aliasOwners(bytes: Uint8Array, records: readonly RecordAt[]): string[] {
  return records.filter(({ type }) => type === TYPE.CNAME).map(({ ownerAt }) => nameKey(bytes, ownerAt));
}
