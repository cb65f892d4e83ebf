/** Images that share a bucket: one cache line of hashes, and a bound on the work that colliding names can cause. */
const WAYS = 16;
/** Slab offsets are kept in units of this, plus one so that zero means empty. */
const UNIT = 8;

/** Of a bucket: its hashes, then its places, beside each other because they are read together. */
const WORDS = 2 * WAYS;

/**
 * From hash to place in the slab, in fixed memory. A bucket that is full gives up an entry: whoever finds colliding
 * names (the hash is seeded) evicts a few images of others and costs nobody time.
 */
export class Directory {
  /** Hash of way w at WORDS * bucket + w, its place WAYS further on. */
  readonly words: Uint32Array;
  readonly #mask: number;
  #count = 0;

  /** `slots` is rounded up to a power of two. */
  constructor(slots: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(slots, WAYS)));
    this.words = new Uint32Array(size * 2);
    this.#mask = size / WAYS - 1;
  }

  static bytesFor(slots: number): number {
    return 2 ** Math.ceil(Math.log2(Math.max(slots, WAYS))) * 8;
  }

  get count(): number {
    return this.#count;
  }

  /** The next image with this hash at or after slot `from` (0 at first) of its bucket; -1 when there is none. */
  find(hash: number, from: number): number {
    const base = (hash & this.#mask) * WORDS;
    for (let way = from; way < WAYS; way += 1) {
      if (this.words[base + way] === hash && this.words[base + WAYS + way] !== 0) return way;
    }
    return -1;
  }

  placeAt(hash: number, way: number): number {
    return ((this.words[(hash & this.#mask) * WORDS + WAYS + way] ?? 0) - 1) * UNIT;
  }

  /** Returns the place of the image that had to make room, or -1. */
  add(hash: number, place: number): number {
    const base = (hash & this.#mask) * WORDS;
    let way = 0;
    while (way < WAYS && this.words[base + WAYS + way] !== 0) way += 1;
    // Which one goes when all are taken is as good as random: the bits above the bucket's number.
    const displaced = way === WAYS ? (hash >>> 28) % WAYS : -1;
    if (displaced >= 0) way = displaced;
    else this.#count += 1;
    const before = displaced >= 0 ? this.placeAt(hash, way) : -1;
    this.words[base + way] = hash;
    this.words[base + WAYS + way] = place / UNIT + 1;
    return before;
  }

  move(hash: number, from: number, to: number): void {
    const at = this.#placeOf(hash, from);
    if (at >= 0) this.words[at] = to / UNIT + 1;
  }

  remove(hash: number, place: number): void {
    const at = this.#placeOf(hash, place);
    if (at < 0) return;
    this.words[at] = 0;
    this.#count -= 1;
  }

  /** The word that has this place, or -1. */
  #placeOf(hash: number, place: number): number {
    const base = (hash & this.#mask) * WORDS + WAYS;
    for (let at = base; at < base + WAYS; at += 1) if (this.words[at] === place / UNIT + 1) return at;
    return -1;
  }
}
