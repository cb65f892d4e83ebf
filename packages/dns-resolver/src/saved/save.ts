import { createHash } from "node:crypto";
import { elapsed, seconds, type Clock, type Duration } from "@stitch/clock";
import { tickOf, type Cache } from "../cache.ts";
import { MESSAGE_AT, SPLICED, USED, WORD } from "../cache/image.ts";
import { atOnce, type Steps } from "../sliced.ts";
import { AT_ENTRY, CHECKSUM_BYTES, DO_CD, ENTRY_BYTES, HEAD_BYTES, HOT, MAGIC, VERSION } from "./layout.ts";

/** A stop must not wait for its cache: what is written by then is what the next start has. */
const SAVE_LIMIT: Duration = seconds(1);
/** Answers between two looks at the clock. */
const SLICE = 1_024;
/** Of one worker: some 500,000 answers, written and summed up in the second that is left of a stop. */
export const MOST_SAVED_BYTES = 64 * 2 ** 20;
const FIRST_BYTES = 2 ** 20;
/** Bytes that are summed up in a step: 0.1 ms on a slow machine. */
const SEALED_AT_ONCE = 2 ** 15;

/** A route whose answers may be kept: the number in their tags, and what they depend on. */
export interface SavedRoute {
  readonly number: number;
  readonly fingerprint: Uint8Array;
}

/**
 * Writes the answers of `routes` that are in the cache, those that clients come back for first, until there are no more,
 * the time is over or `most` bytes are full.
 */
export function saveCache(cache: Cache, routes: readonly SavedRoute[], clock: Clock, most = MOST_SAVED_BYTES): Buffer {
  const began = clock.now();
  const tick = tickOf(began);
  const writer = new SavedWriter(routes, clock.wallMicros(), most - CHECKSUM_BYTES);
  let seen = 0;
  for (const at of cache.images()) {
    seen += 1;
    if (seen % SLICE === 0 && elapsed(began, clock.now()) > SAVE_LIMIT) break;
    if (cache.isUsable(at, tick) && !writer.add(cache, at, tick)) break;
  }
  return writer.done();
}

/** Writes a saved cache, answer by answer. */
export class SavedWriter {
  #bytes: Buffer;
  #at: number;
  readonly #most: number;
  readonly #indexes: ReadonlyMap<number, number>;
  /** Written so far. */
  answers = 0;

  /** `most` bytes, the checksum not counted. */
  constructor(routes: readonly SavedRoute[], wallMicros: number, most: number) {
    this.#most = most;
    this.#indexes = new Map(routes.map(({ number }, index) => [number, index]));
    const head = Buffer.alloc(HEAD_BYTES);
    MAGIC.copy(head, 0);
    head.writeUInt32BE(VERSION, 8);
    head.writeBigUInt64BE(BigInt(Math.max(0, Math.floor(wallMicros))), 12);
    head.writeUInt16BE(routes.length, 20);
    const begin = Buffer.concat([head, ...routes.map(({ fingerprint }) => fingerprint)]);
    this.#bytes = Buffer.alloc(Math.max(begin.length, FIRST_BYTES));
    begin.copy(this.#bytes, 0);
    this.#at = begin.length;
  }

  /**
   * False when there is no room. Answers put together from several routes are left out: they depend on more than the one
   * that they stand under.
   */
  add(cache: Cache, at: number, tick: number): boolean {
    const { words, bytes } = cache.slab;
    const word = at >>> 2;
    const route = this.#indexes.get((words[word + WORD.tag] ?? 0) >>> 2);
    if (route === undefined || ((words[word + WORD.state] ?? 0) & SPLICED) !== 0) return true;
    const length = (words[word + WORD.lengths] ?? 0) >>> 16;
    if (!this.#room(ENTRY_BYTES + length)) return false;
    const out = this.#bytes;
    const into = this.#at;
    const used = ((words[word + WORD.state] ?? 0) & USED) !== 0 || cache.isInMain(at);
    out.writeUInt16BE(route, into + AT_ENTRY.route);
    out[into + AT_ENTRY.bits] = ((words[word + WORD.tag] ?? 0) & DO_CD) | (used ? HOT : 0);
    out.writeUInt32BE(Math.max(0, tick - (words[word + WORD.stored] ?? 0)), into + AT_ENTRY.age);
    out.writeInt32BE((words[word + WORD.expires] ?? 0) - tick, into + AT_ENTRY.left);
    out.writeUInt16BE(length, into + AT_ENTRY.length);
    out.set(bytes.subarray(at + MESSAGE_AT, at + MESSAGE_AT + length), into + ENTRY_BYTES);
    this.#at += ENTRY_BYTES + length;
    this.answers += 1;
    return true;
  }

  done(): Buffer {
    return Buffer.from(atOnce(this.sealing()).buffer);
  }

  /** The whole, where the thread has others to serve; in memory of its own, which another thread may be given. */
  *sealing(): Steps<Uint8Array<ArrayBuffer>> {
    const hash = createHash("sha256");
    for (let at = 0; at < this.#at; at += SEALED_AT_ONCE) {
      hash.update(this.#bytes.subarray(at, Math.min(this.#at, at + SEALED_AT_ONCE)));
      yield;
    }
    const whole = new Uint8Array(this.#at + CHECKSUM_BYTES);
    whole.set(this.#bytes.subarray(0, this.#at));
    whole.set(hash.digest(), this.#at);
    return whole;
  }

  #room(size: number): boolean {
    if (this.#at + size > this.#most) return false;
    if (this.#at + size <= this.#bytes.length) return true;
    const grown = Buffer.alloc(Math.min(this.#most, Math.max(this.#bytes.length * 2, this.#at + size)));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
    return true;
  }
}
