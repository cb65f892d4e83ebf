import { randomSeed } from "../random-seed.ts";
import { hashDone, hashOctet } from "../seeded-hash.ts";
import { copied } from "../wire/blocks.ts";
import { sameBytes } from "../wire/octets.ts";
import type { Query } from "../wire/query.ts";

/** Strangers choose the names: without it they could choose names of one hash. */
const SEED = randomSeed();

/**
 * What tells a question on its way from every other. A string of the same octets would do, but V8 makes a string that is
 * looked up unique in the process first: that alone was a twentieth of what a forwarded question costs (measured).
 */
export class QuestionKey {
  readonly hash: number;
  readonly tag: number;
  /** What is to pass the lists is another question: its answer must not end where a list has something to say. */
  readonly passes: boolean;
  /** Name, type and class on the wire, the name in lower case; the query's own until they are `kept`. */
  #question: Uint8Array;
  readonly #length: number;

  /** Good for as long as `query` holds the same question. */
  constructor(query: Pick<Query, "key" | "keyLength">, tag: number, passes = false) {
    this.tag = tag;
    this.passes = passes;
    this.#question = query.key;
    this.#length = query.keyLength;
    this.hash = hashOf(query.key, query.keyLength, passes ? ~tag : tag);
  }

  is(other: QuestionKey): boolean {
    if (this.hash !== other.hash || this.tag !== other.tag || this.passes !== other.passes) return false;
    return this.#length === other.#length && sameBytes(this.#question, 0, other.#question, 0, this.#length);
  }

  /** The question, in memory of its own from now on that goes when the question does. */
  kept(): Uint8Array {
    this.#question = copied(this.#question, 0, this.#length);
    return this.#question;
  }

  /** For what is remembered longer than a question lives: it keeps nothing else in memory. */
  alone(): QuestionKey {
    return new QuestionKey(
      { key: this.#question.slice(0, this.#length), keyLength: this.#length },
      this.tag,
      this.passes,
    );
  }
}

function hashOf(question: Uint8Array, length: number, tag: number): number {
  let hash = SEED ^ Math.imul(tag + 1, 0x9e_37_79_b1);
  for (let i = 0; i < length; i += 1) hash = hashOctet(hash, question[i] ?? 0);
  return hashDone(hash);
}
