import { randomSeed } from "../random-seed.ts";

/** Chains stay short up to this many entries and grow in proportion beyond. */
const BUCKETS = 2 ** 12;

interface Entry<T> {
  readonly key: string;
  readonly value: T;
  next: Entry<T> | undefined;
}

/** What can be looked up. */
export interface ReadonlyKeyed<T> {
  get(key: string): T | undefined;
  has(key: string): boolean;
}

/**
 * A map for what comes and goes thousands of times a second. V8's own Map would not do: full of deleted entries, its table
 * makes way for a new one and keeps a pointer to it; once the first of these tables has grown old, all later ones count as
 * alive until the next full collection, with what was in them. Every young collection then copies what should have died
 * (measured at 10,000 questions a second: four fifths of all that was allocated, 16 ms each time).
 *
 * The hash is seeded: strangers choose the keys.
 */
export class Keyed<T> implements ReadonlyKeyed<T> {
  readonly #buckets: (Entry<T> | undefined)[] = Array.from({ length: BUCKETS }, () => undefined);
  readonly #seed = randomSeed();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): T | undefined {
    for (let entry = this.#buckets[this.#bucketOf(key)]; entry !== undefined; entry = entry.next) {
      if (entry.key === key) return entry.value;
    }
    return undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** In place of what was there. */
  set(key: string, value: T): void {
    const bucket = this.#bucketOf(key);
    this.#remove(bucket, key);
    this.#buckets[bucket] = { key, value, next: this.#buckets[bucket] };
    this.#size += 1;
  }

  delete(key: string): void {
    this.#remove(this.#bucketOf(key), key);
  }

  #remove(bucket: number, key: string): void {
    let before: Entry<T> | undefined;
    for (let entry = this.#buckets[bucket]; entry !== undefined; before = entry, entry = entry.next) {
      if (entry.key !== key) continue;
      if (before === undefined) this.#buckets[bucket] = entry.next;
      else before.next = entry.next;
      entry.next = undefined; // what is gone keeps nothing alive
      this.#size -= 1;
      return;
    }
  }

  /** FNV-1a with a seed and a finisher. */
  #bucketOf(key: string): number {
    let hash = this.#seed;
    for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01_00_01_93);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
    return (hash ^ (hash >>> 13)) & (BUCKETS - 1);
  }
}
