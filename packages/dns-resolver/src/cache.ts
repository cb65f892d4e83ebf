import type { Instant } from "@stitch/clock";
import { Directory } from "./cache/directory.ts";
import { Hottest } from "./cache/hottest.ts";
import { LIVE, MESSAGE_AT, NEVER, REFRESHED, TICKS_PER_SECOND, USED, WANTED, WORD, type Slab } from "./cache/image.ts";
import { Ring } from "./cache/ring.ts";
import { hashDone, hashOctet } from "./seeded-hash.ts";
import { HEADER_BYTES } from "./wire/header.ts";
import { sameBytes } from "./wire/octets.ts";
import type { Query } from "./wire/query.ts";

/** Below this the rings could not hold the largest message. */
export const SMALLEST_CACHE = 2 ** 20;
const SMALLEST_PROBATION = 2 ** 18;
/** Share of the slab for images that nobody has asked for again. */
const PROBATION_SHARE = 0.2;
/** Bytes of an image, about: sets how many the directory can find. */
const TYPICAL_IMAGE = 160;
/**
 * Days that ticks begin before the clock does: an answer that a former process had may have been stored that long ago,
 * with a week to live and a week to be served stale.
 */
const DAYS_BEFORE = 15;
/**
 * The last part of its life in which an answer that clients want is asked for anew: its renewal then costs a tenth more
 * questions than waiting for its end, and no client waits.
 */
const REFRESH_SHARE = 0.1;
/** Images spared in the course of one eviction; then one goes whether it was used or not. Bounds the work. */
const MOST_SPARED = 8;

/** An image from elsewhere, with times of its own in ticks. */
export interface Former {
  readonly tag: number;
  readonly tick: number;
  readonly stored: number;
  readonly expires: number;
  /** Clients came back for it. */
  readonly hot: boolean;
}

export interface CacheOptions {
  /** Bytes in all, the directory included. */
  readonly size: number;
  /** How long after its expiry an answer may still be served when no upstream answers (RFC 8767), in seconds. */
  readonly staleSeconds: number;
  /** Random per process, so that nobody can prepare names that collide. */
  readonly seed: number;
}

/**
 * Answers as wire images, bounded in bytes.
 *
 * Normal: a query for `www.example.com A` hashes to a bucket, one of sixteen hashes there matches, the whole key is
 * compared (tag, then name, type and class against the image's own question), and its place is returned. It is marked
 * as used. New images go to the probation ring; when they reach its end they move on to the main ring if they were
 * used, else they are gone.
 *
 * Hard: somebody asks for a million random names below one zone. They displace each other in the probation ring, a fifth
 * of the memory; what clients really use is in the main ring, which only used images enter (as in S3-FIFO).
 */
export class Cache {
  readonly slab: Slab;
  readonly counters = { stored: 0, evicted: 0, spared: 0 };
  readonly #directory: Directory;
  readonly #probation: Ring;
  readonly #main: Ring;
  readonly #seed: number;
  #staleTicks = 0;
  readonly #directoryBytes: number;

  constructor({ size, staleSeconds, seed }: CacheOptions) {
    const slots = Math.max(1, size / TYPICAL_IMAGE);
    this.#directoryBytes = Directory.bytesFor(slots);
    const room = aligned(Math.max(size, SMALLEST_CACHE) - this.#directoryBytes);
    const buffer = new ArrayBuffer(room);
    this.slab = { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer) };
    const probation = aligned(Math.max(SMALLEST_PROBATION, room * PROBATION_SHARE));
    this.#directory = new Directory(slots);
    this.#probation = new Ring(this.slab, 0, probation);
    this.#main = new Ring(this.slab, probation, room - probation);
    this.#seed = seed;
    this.staleSeconds = staleSeconds;
  }

  /** How long after its expiry an answer may still be served; see CacheOptions. */
  set staleSeconds(seconds: number) {
    this.#staleTicks = Math.round(seconds * TICKS_PER_SECOND);
  }

  /** Hashes and places of all answers: read here and there, and not touched before it is needed. */
  get directoryTable(): Uint8Array {
    return new Uint8Array(this.#directory.words.buffer);
  }

  get entries(): number {
    return this.#directory.count;
  }

  get usedBytes(): number {
    return this.#probation.usedBytes + this.#main.usedBytes + this.#directoryBytes;
  }

  /** Where in the slab the image for `query` is, fresh or stale; -1 when there is none that may still be used. */
  find(query: Query, tag: number, tick: number): number {
    const hash = this.#hash(query.key, query.keyLength, tag);
    for (let way = this.#directory.find(hash, 0); way >= 0; way = this.#directory.find(hash, way + 1)) {
      const at = this.#directory.placeAt(hash, way);
      if (!this.#isFor(at, query, tag)) continue;
      if (this.#usableUntil(at) <= tick) return -1;
      const state = (at >>> 2) + WORD.state;
      this.slab.words[state] = (this.slab.words[state] ?? 0) | USED;
      return at;
    }
    return -1;
  }

  /** Whether a fresh image for `query` is there; nobody has asked for it by that. */
  holdsFresh(query: Query, tag: number, tick: number): boolean {
    const at = this.#placeOf(this.#hash(query.key, query.keyLength, tag), query, tag);
    return at >= 0 && this.isFresh(at, tick);
  }

  isFresh(at: number, tick: number): boolean {
    return (this.slab.words[(at >>> 2) + WORD.expires] ?? 0) > tick;
  }

  /**
   * True once in the life of an image: when it is about to expire and has been asked for twice since it was. Who asks for
   * a name once in a while costs nothing then.
   */
  wantsRefresh(at: number, tick: number): boolean {
    if (!this.isNearEnd(at, tick)) return false;
    const { words } = this.slab;
    const word = at >>> 2;
    const state = words[word + WORD.state] ?? 0;
    words[word + WORD.state] = state | ((state & WANTED) === 0 ? WANTED : REFRESHED);
    return (state & (WANTED | REFRESHED)) === WANTED;
  }

  /** Whether it is in the last part of its life. */
  isNearEnd(at: number, tick: number): boolean {
    return (this.slab.words[(at >>> 2) + WORD.refreshAt] ?? 0) <= tick;
  }

  /** The image at `at` on its own: it may be evicted at any later moment. */
  copy(at: number): Slab {
    const size = this.slab.words[(at >>> 2) + WORD.size] ?? 0;
    const bytes = this.slab.bytes.slice(at, at + size);
    return { bytes, words: new Uint32Array(bytes.buffer) };
  }

  /** Returns where it is, or -1 when there is no room. Keeps a copy of `image`, which lives for `ttl` seconds, in place of any older one. */
  store(image: Slab, query: Query, tag: number, tick: number, ttl: number | typeof NEVER): number {
    const expires = ttl === NEVER ? NEVER : tick + ttl * TICKS_PER_SECOND;
    const refreshAt = ttl === NEVER ? NEVER : tick + Math.ceil(ttl * TICKS_PER_SECOND * (1 - REFRESH_SHARE));
    return this.#keep(image, query, tag, tick, expires, refreshAt);
  }

  /** Keeps a copy of an image that has a life behind it; false when it is of no use any more. */
  restore(image: Slab, query: Query, { tag, tick, stored, expires, hot }: Former): boolean {
    if (stored < 0 || expires + this.#staleTicks <= tick) return false;
    const refreshAt = stored + Math.ceil((expires - stored) * (1 - REFRESH_SHARE));
    const at = this.#keep(image, query, tag, stored, expires, refreshAt);
    // It goes through probation as any other, and moves on from there.
    if (at >= 0 && hot)
      this.slab.words[(at >>> 2) + WORD.state] = (this.slab.words[(at >>> 2) + WORD.state] ?? 0) | USED;
    return at >= 0;
  }

  /** Places of all images, those that clients came back for first; nothing may be stored meanwhile. */
  *images(): Generator<number> {
    for (const ring of [this.#main, this.#probation]) {
      for (const at of ring.places()) if (((this.slab.words[(at >>> 2) + WORD.state] ?? 0) & LIVE) !== 0) yield at;
    }
  }

  /** What clients come back for, `most` of each kind; things may be stored meanwhile. */
  hottest(most: number): Hottest {
    return new Hottest(this.slab, this.#probation, this.#main, most);
  }

  isInMain(at: number): boolean {
    return this.#main.holds(at);
  }

  /** Whether the image at `at` may be served, fresh or stale. */
  isUsable(at: number, tick: number): boolean {
    return this.#usableUntil(at) > tick;
  }

  #keep(image: Slab, query: Query, tag: number, stored: number, expires: number, refreshAt: number): number {
    const hash = this.#hash(query.key, query.keyLength, tag);
    const size = image.bytes.length;
    const ring = this.#forget(hash, query, tag) ? this.#main : this.#probation;
    const at = this.#room(ring, size);
    if (at < 0) return -1;
    const { bytes, words } = this.slab;
    bytes.set(image.bytes, at);
    const word = at >>> 2;
    words[word + WORD.hash] = hash;
    words[word + WORD.tag] = tag;
    words[word + WORD.stored] = stored;
    words[word + WORD.expires] = expires;
    words[word + WORD.refreshAt] = refreshAt;
    this.#listed(hash, at);
    this.counters.stored += 1;
    return at;
  }

  /** Removes the older image of the same question. True when it had earned its place. */
  #forget(hash: number, query: Query, tag: number): boolean {
    const at = this.#placeOf(hash, query, tag);
    if (at < 0) return false;
    const used = ((this.slab.words[(at >>> 2) + WORD.state] ?? 0) & USED) !== 0;
    this.#kill(at);
    return used || this.#main.holds(at);
  }

  #placeOf(hash: number, query: Query, tag: number): number {
    for (let way = this.#directory.find(hash, 0); way >= 0; way = this.#directory.find(hash, way + 1)) {
      const at = this.#directory.placeAt(hash, way);
      if (this.#isFor(at, query, tag)) return at;
    }
    return -1;
  }

  #room(ring: Ring, size: number): number {
    if (size > ring.size / 2) return -1;
    for (let spared = 0; ;) {
      const at = ring.reserve(size);
      if (at >= 0) return at;
      const oldest = ring.evict();
      if (oldest < 0) return -1;
      if (this.#release(oldest, spared < MOST_SPARED)) spared += 1;
    }
  }

  /** An image whose bytes are about to be overwritten: moves it to the main ring when it was used. True when moved. */
  #release(at: number, mayMove: boolean): boolean {
    const { words, bytes } = this.slab;
    const word = at >>> 2;
    const state = words[word + WORD.state] ?? 0;
    if ((state & LIVE) === 0) return false;
    const size = words[word + WORD.size] ?? 0;
    const to = (state & USED) !== 0 && mayMove ? this.#roomInMain(at, size) : -1;
    if (to < 0) {
      this.#directory.remove(words[word + WORD.hash] ?? 0, at);
      this.counters.evicted += 1;
      return false;
    }
    const hash = words[word + WORD.hash] ?? 0;
    bytes.copyWithin(to, at, at + size);
    words[(to >>> 2) + WORD.state] = state & ~USED;
    this.#directory.move(hash, at, to);
    this.counters.spared += 1;
    return true;
  }

  /** From probation the main ring makes room; within the main ring the image only goes round if that costs nobody. */
  #roomInMain(at: number, size: number): number {
    return this.#main.holds(at) ? this.#main.reserve(size) : this.#room(this.#main, size);
  }

  #listed(hash: number, at: number): void {
    const displaced = this.#directory.add(hash, at);
    if (displaced < 0) return;
    const state = (displaced >>> 2) + WORD.state;
    this.slab.words[state] = 0;
    this.counters.evicted += 1;
  }

  #kill(at: number): void {
    const word = at >>> 2;
    this.#directory.remove(this.slab.words[word + WORD.hash] ?? 0, at);
    this.slab.words[word + WORD.state] = 0;
  }

  #isFor(at: number, query: Query, tag: number): boolean {
    const word = at >>> 2;
    if (this.slab.words[word + WORD.tag] !== tag) return false;
    if (this.slab.words[word + WORD.nameLength] !== query.nameLength) return false;
    return isKeyAt(this.slab, at + MESSAGE_AT + HEADER_BYTES, query);
  }

  #usableUntil(at: number): number {
    const expires = this.slab.words[(at >>> 2) + WORD.expires] ?? 0;
    return expires === NEVER ? NEVER : expires + this.#staleTicks;
  }

  /** Collisions cost a bucket's sixteen compares at most. */
  #hash(key: Uint8Array, length: number, tag: number): number {
    let hash = this.#seed ^ Math.imul(tag + 1, 0x9e_37_79_b1);
    for (let i = 0; i < length; i += 1) hash = hashOctet(hash, key[i] ?? 0);
    return hashDone(hash) >>> 0;
  }
}

/** Whether the key of `query` stands at `at`, a multiple of four: four octets at a time, and then what is left. */
function isKeyAt({ bytes, words }: Slab, at: number, { key, keyLength, keyWords }: Query): boolean {
  const whole = keyLength >>> 2;
  const word = at >>> 2;
  for (let i = 0; i < whole; i += 1) if (words[word + i] !== keyWords[i]) return false;
  return sameBytes(bytes, at + 4 * whole, key, 4 * whole, keyLength & 3);
}

const TICKS_BEFORE = DAYS_BEFORE * 86_400 * TICKS_PER_SECOND;

/** Ticks of the cache's clock; see TICKS_PER_SECOND. */
export function tickOf(now: Instant): number {
  return Math.floor((now * TICKS_PER_SECOND) / 1_000) + TICKS_BEFORE;
}

function aligned(bytes: number): number {
  return Math.floor(bytes / 8) * 8;
}
