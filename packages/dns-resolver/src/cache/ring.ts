import { WORD, type Slab } from "./image.ts";

/**
 * Images in the order of their storing, in one stretch of a slab. Storing at the tail frees at the head, so the memory
 * is bounded in bytes, nothing fragments, and every step costs the same however much is stored.
 */
export class Ring {
  readonly #slab: Slab;
  readonly #base: number;
  readonly #end: number;
  #head: number;
  #tail: number;
  #used = 0;
  #freed = 0;

  /** `base` and `size` in bytes, multiples of 8. */
  constructor(slab: Slab, base: number, size: number) {
    this.#slab = slab;
    this.#base = base;
    this.#end = base + size;
    this.#head = base;
    this.#tail = base;
  }

  get usedBytes(): number {
    return this.#used;
  }

  get size(): number {
    return this.#end - this.#base;
  }

  holds(at: number): boolean {
    return at >= this.#base && at < this.#end;
  }

  /** Room for `size` bytes at the tail, or -1 when something must be evicted first. */
  reserve(size: number): number {
    if (this.#used === 0) {
      this.#head = this.#base;
      this.#tail = this.#base;
    }
    const wrapped = this.#used > 0 && this.#tail <= this.#head;
    if (!wrapped && this.#end - this.#tail < size) {
      if (this.#head - this.#base < size) return -1;
      this.#skipToBase();
    } else if (wrapped && this.#head - this.#tail < size) return -1;
    const at = this.#tail;
    this.#tail += size;
    this.#used += size;
    if (this.#tail === this.#end) this.#tail = this.#base;
    return at;
  }

  /** Frees the oldest image and says where it was; its bytes are untouched until the next `reserve`. */
  evict(): number {
    if (this.#used === 0) return -1;
    const at = this.#head;
    const size = this.#slab.words[(at >>> 2) + WORD.size] ?? 0;
    this.#head += size;
    this.#used -= size;
    this.#freed += size;
    if (this.#head === this.#end) this.#head = this.#base;
    return at;
  }

  /** The position of the oldest image: bytes freed since the beginning. An image keeps its own until it is evicted. */
  get first(): number {
    return this.#freed;
  }

  /** Where the image of that position is; -1 when it has been evicted. */
  placeOf(position: number): number {
    const ahead = position - this.#freed;
    if (ahead < 0 || ahead >= this.#used) return -1;
    const at = this.#head + ahead;
    return at < this.#end ? at : at - this.size;
  }

  /** Places of all that is stored, the oldest first, holes included; nothing may be stored meanwhile. */
  *places(): Generator<number> {
    let at = this.#head;
    for (let left = this.#used; left > 0;) {
      const size = this.#slab.words[(at >>> 2) + WORD.size] ?? 0;
      yield at;
      left -= size;
      at += size;
      if (at === this.#end) at = this.#base;
    }
  }

  /** What is left before the end is too small: a hole, which eviction passes over. */
  #skipToBase(): void {
    const left = this.#end - this.#tail;
    if (left > 0) {
      this.#slab.words[(this.#tail >>> 2) + WORD.size] = left;
      this.#slab.words[(this.#tail >>> 2) + WORD.state] = 0;
      this.#used += left;
    }
    this.#tail = this.#base;
  }
}
