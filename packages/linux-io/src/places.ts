/** The places of a set, handed out lowest number last used first; taking and giving back is O(1). */
export class Places {
  readonly #free: Int32Array;
  readonly #taken: Uint8Array;
  #left: number;

  constructor(most: number) {
    this.#free = Int32Array.from({ length: most }, (_, i) => most - 1 - i);
    this.#taken = new Uint8Array(most);
    this.#left = most;
  }

  get taken(): number {
    return this.#free.length - this.#left;
  }

  has(place: number): boolean {
    return this.#taken[place] === 1;
  }

  /** -1 when all are taken. */
  take(): number {
    if (this.#left === 0) return -1;
    this.#left -= 1;
    const place = this.#free[this.#left] ?? -1;
    this.#taken[place] = 1;
    return place;
  }

  /** False when it was not taken. */
  give(place: number): boolean {
    if (!this.has(place)) return false;
    this.#taken[place] = 0;
    this.#free[this.#left] = place;
    this.#left += 1;
    return true;
  }
}
