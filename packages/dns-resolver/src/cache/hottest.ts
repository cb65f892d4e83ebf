import type { Steps } from "../sliced.ts";
import { LIVE, USED, WORD, type Slab } from "./image.ts";
import type { Ring } from "./ring.ts";

/** Images of a step: some microseconds. */
const SEEN_AT_ONCE = 32;

/**
 * What clients come back for, found while the cache is in use: images are stored and evicted between any two steps, so
 * what is noted is not where an image is but its position in its ring, by which one that has gone is told from the one
 * that took its place.
 *
 * Those asked for since they were stored come first, the latest of them before the others: of the probation ring, then of
 * the main one. The rest of the main ring has been asked for again once, and comes last.
 */
export class Hottest {
  readonly #words: Uint32Array;
  readonly #main: Ring;
  readonly #asked: Latest;
  readonly #askedInMain: Latest;
  readonly #settled: Latest;

  /** `most` images of each kind are noted. */
  constructor({ words }: Slab, probation: Ring, main: Ring, most: number) {
    this.#words = words;
    this.#main = main;
    this.#asked = new Latest(probation, most);
    this.#askedInMain = new Latest(main, most);
    this.#settled = new Latest(main, most);
  }

  /** To be done before `places`; where it is not done to its end they are what has been found by then. */
  *walk(): Steps<void> {
    yield* this.#walk(this.#asked.ring, this.#asked, undefined);
    yield* this.#walk(this.#main, this.#askedInMain, this.#settled);
  }

  /** Each is good until the next step. */
  *places(): Generator<number> {
    for (const latest of [this.#asked, this.#askedInMain, this.#settled]) yield* latest.places();
  }

  *#walk(ring: Ring, asked: Latest, others: Latest | undefined): Steps<void> {
    let seen = 0;
    for (let position = ring.first; ;) {
      position = Math.max(position, ring.first); // what was next may have been evicted
      const at = ring.placeOf(position);
      if (at < 0) return;
      const state = this.#words[(at >>> 2) + WORD.state] ?? 0;
      if ((state & LIVE) !== 0) ((state & USED) === 0 ? others : asked)?.note(position);
      position += this.#words[(at >>> 2) + WORD.size] ?? 0;
      if ((seen += 1) % SEEN_AT_ONCE === 0) yield;
    }
  }
}

/** The positions that were noted last. */
class Latest {
  readonly ring: Ring;
  readonly #positions: Float64Array;
  #noted = 0;

  constructor(ring: Ring, most: number) {
    this.ring = ring;
    this.#positions = new Float64Array(most);
  }

  note(position: number): void {
    this.#positions[this.#noted % this.#positions.length] = position;
    this.#noted += 1;
  }

  /** The last one first, without those that have been evicted since. */
  *places(): Generator<number> {
    const { length } = this.#positions;
    for (let i = this.#noted - 1; i >= Math.max(0, this.#noted - length); i -= 1) {
      const at = this.ring.placeOf(this.#positions[i % length] ?? 0);
      if (at >= 0) yield at;
    }
  }
}
