import type { QuestionKey } from "./question-key.ts";

/** Chains stay short up to this many entries and grow in proportion beyond. */
const BUCKETS = 2 ** 12;

interface Entry<T> {
  readonly key: QuestionKey;
  readonly value: T;
  next: Entry<T> | undefined;
}

/** What can be looked up. */
export interface ReadonlyKeyed<T> {
  get(key: QuestionKey): T | undefined;
  has(key: QuestionKey): boolean;
}

/**
 * A map by questions, for what comes and goes thousands of times a second. V8's own Map would not do: full of deleted entries, its table
 * makes way for a new one and keeps a pointer to it; once the first of these tables has grown old, all later ones count as
 * alive until the next full collection, with what was in them. Every young collection then copies what should have died
 * (measured at 10,000 questions a second: four fifths of all that was allocated, 16 ms each time).
 */
export class Keyed<T> implements ReadonlyKeyed<T> {
  readonly #buckets: (Entry<T> | undefined)[] = Array.from({ length: BUCKETS }, () => undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: QuestionKey): T | undefined {
    for (let entry = this.#buckets[bucketOf(key)]; entry !== undefined; entry = entry.next) {
      if (entry.key.is(key)) return entry.value;
    }
    return undefined;
  }

  has(key: QuestionKey): boolean {
    return this.get(key) !== undefined;
  }

  /** In place of what was there. */
  set(key: QuestionKey, value: T): void {
    const bucket = bucketOf(key);
    this.#remove(bucket, key);
    this.#buckets[bucket] = { key, value, next: this.#buckets[bucket] };
    this.#size += 1;
  }

  delete(key: QuestionKey): void {
    this.#remove(bucketOf(key), key);
  }

  #remove(bucket: number, key: QuestionKey): void {
    let before: Entry<T> | undefined;
    for (let entry = this.#buckets[bucket]; entry !== undefined; before = entry, entry = entry.next) {
      if (!entry.key.is(key)) continue;
      if (before === undefined) this.#buckets[bucket] = entry.next;
      else before.next = entry.next;
      entry.next = undefined; // what is gone keeps nothing alive
      this.#size -= 1;
      return;
    }
  }
}

function bucketOf({ hash }: QuestionKey): number {
  return hash & (BUCKETS - 1);
}
