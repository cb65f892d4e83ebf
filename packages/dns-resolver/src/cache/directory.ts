/** Images that share a bucket: one cache line of hashes, and a bound on the work that colliding names can cause. */
const WAYS = 16;
/** Slab offsets are kept in units of this, plus one so that zero means empty. */
const UNIT = 8;

/**
 * From hash to place in the slab, in fixed memory. A bucket that is full gives up an entry: whoever finds colliding
 * names (the hash is seeded) evicts a few images of others and costs nobody time.
 */
export class Directory {
  readonly #hashes: Uint32Array;
  readonly #places: Uint32Array;
  readonly #mask: number;
  #count = 0;

  /** `slots` is rounded up to a power of two. */
  constructor(slots: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(slots, WAYS)));
    this.#hashes = new Uint32Array(size);
    this.#places = new Uint32Array(size);
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
    const base = (hash & this.#mask) * WAYS;
    for (let way = from; way < WAYS; way += 1) {
      if (this.#hashes[base + way] === hash && this.#places[base + way] !== 0) return way;
    }
    return -1;
  }

  placeAt(hash: number, way: number): number {
    return ((this.#places[(hash & this.#mask) * WAYS + way] ?? 0) - 1) * UNIT;
  }

  /** Returns the place of the image that had to make room, or -1. */
  add(hash: number, place: number): number {
    const base = (hash & this.#mask) * WAYS;
    let way = 0;
    while (way < WAYS && this.#places[base + way] !== 0) way += 1;
    // Which one goes when all are taken is as good as random: the bits above the bucket's number.
    const displaced = way === WAYS ? (hash >>> 28) % WAYS : -1;
    if (displaced >= 0) way = displaced;
    else this.#count += 1;
    const before = displaced >= 0 ? this.placeAt(hash, way) : -1;
    this.#hashes[base + way] = hash;
    this.#places[base + way] = place / UNIT + 1;
    return before;
  }

  move(hash: number, from: number, to: number): void {
    const slot = this.#slotOf(hash, from);
    if (slot >= 0) this.#places[slot] = to / UNIT + 1;
  }

  remove(hash: number, place: number): void {
    const slot = this.#slotOf(hash, place);
    if (slot < 0) return;
    this.#places[slot] = 0;
    this.#count -= 1;
  }

  #slotOf(hash: number, place: number): number {
    const base = (hash & this.#mask) * WAYS;
    for (let way = 0; way < WAYS; way += 1) {
      if (this.#places[base + way] === place / UNIT + 1) return base + way;
    }
    return -1;
  }
}
