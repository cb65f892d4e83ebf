import { zeros } from "../wire/blocks.ts";
import { put16 } from "../wire/octets.ts";

/**
 * An answer as it is kept: ten words, then the message without its OPT record, then where its TTLs are.
 *
 *   word 0  size of all this in bytes, a multiple of 8     5  stored, in ticks
 *        1  state bits                                     6  expires, in ticks
 *        2  hash of the key                                7  message length << 16 | number of TTLs
 *        3  tag: place << 2 | DO << 1 | CD                 8  from when on it may be asked for anew, in ticks
 *        4  name length                                    9  what the lists say of its aliases; see AliasJudge
 *   byte 40  the message, its question in lower case: with the tag it is the whole key
 *   after it, on an even offset: the offset of each TTL in the message, two bytes each
 */
export const WORD = {
  size: 0,
  state: 1,
  hash: 2,
  tag: 3,
  nameLength: 4,
  stored: 5,
  expires: 6,
  lengths: 7,
  refreshAt: 8,
  verdict: 9,
} as const;
export const MESSAGE_AT = 40;

/** State bits. A record without LIVE is a hole that eviction skips. */
export const LIVE = 1;
/** Asked for since it was stored or last spared. */
export const USED = 2;
export const NEGATIVE = 4;
/** Put together from answers of several routes. */
export const SPLICED = 8;
/** Local data with an alias at its end that a route answers for: the rest is asked for. */
export const LEADS_ON = 64;
/** Ends in an alias to a name that a list answers: what stands there has not been asked for. Always SPLICED. */
export const CUT = 128;
/** Asked for once since `refreshAt`, ... */
export const WANTED = 16;
/** ... and again, so that it has been asked for anew. */
export const REFRESHED = 32;

/** Verdicts: nothing in the image leads on, so that the lists have no say; or they have not been asked yet. */
export const NO_ALIAS = 0;
export const UNJUDGED = 1;

/** A tenth of a second: fine enough for TTLs, and 32 bits of them last 13 years. */
export const TICKS_PER_SECOND = 10;
/** Local data never expires and never ages. */
export const NEVER = 0xff_ff_ff_ff;

/** Memory that holds images: the cache's, or one image alone. The two views share their buffer. */
export interface Slab {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

export interface ImageParts {
  /** Header, lower-cased question, sections; no OPT record. */
  readonly message: Uint8Array;
  readonly nameLength: number;
  /** Offsets of TTLs in `message`. */
  readonly ttlsAt: readonly number[];
  readonly negative: boolean;
  readonly spliced?: boolean;
  readonly cut?: boolean;
  readonly leadsOn?: boolean;
  /** An alias stands in it. */
  readonly aliased?: boolean;
}

/** With the question this is the key of an image. */
export function tagOf(place: number, dnssecOk: boolean, checkingDisabled: boolean): number {
  return (place << 2) | (dnssecOk ? 2 : 0) | (checkingDisabled ? 1 : 0);
}

/** One image alone, ready to be rendered or to be stored. */
export function packImage(parts: ImageParts, tag: number): Slab {
  const { message, ttlsAt } = parts;
  const offsetsAt = evenAfter(message.length);
  const size = (offsetsAt + 2 * ttlsAt.length + 7) & ~7;
  const bytes = zeros(size);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, size >>> 2);
  words[WORD.size] = size;
  words[WORD.state] =
    LIVE |
    (parts.negative ? NEGATIVE : 0) |
    (parts.spliced === true ? SPLICED : 0) |
    (parts.cut === true ? CUT : 0) |
    (parts.leadsOn === true ? LEADS_ON : 0);
  words[WORD.tag] = tag;
  words[WORD.nameLength] = parts.nameLength;
  words[WORD.expires] = NEVER;
  words[WORD.lengths] = (message.length << 16) | ttlsAt.length;
  words[WORD.verdict] = parts.aliased === true ? UNJUDGED : NO_ALIAS;
  bytes.set(message, MESSAGE_AT);
  for (const [i, at] of ttlsAt.entries()) put16(bytes, offsetsAt + 2 * i, at);
  return { bytes, words };
}

/** Whether the image at `at` ends at a name that a list had when it came: it is not to be given as it is. */
export function isCut({ words }: Slab, at: number): boolean {
  return ((words[(at >>> 2) + WORD.state] ?? 0) & CUT) !== 0;
}

/** Where the TTL offsets begin, behind a message of `length` bytes. */
export function evenAfter(length: number): number {
  return (MESSAGE_AT + length + 1) & ~1;
}
