/**
 * The places of a set, handed out lowest number last used first; taking and giving back is O(1). Between `hold` and
 * `release` what is given back rests: datagrams under the old owner's number are still to be looked at, and whoever got
 * the number next would take them for its own. There are `resting` places more than may be taken at once, so that a full
 * set can still close one and open another meanwhile.
 */
export class Places {
  readonly #most: number;
  readonly #free: Int32Array;
  readonly #taken: Uint8Array;
  readonly #resting: number[] = [];
  #holding = false;
  #left: number;
  #owned = 0;

  constructor(most: number, resting: number) {
    this.#most = most;
    this.#left = most + resting;
    this.#free = Int32Array.from({ length: this.#left }, (_, i) => most + resting - 1 - i);
    this.#taken = new Uint8Array(this.#left);
  }

  /** Numbers are below this. */
  get end(): number {
    return this.#free.length;
  }

  get taken(): number {
    return this.#owned;
  }

  has(place: number): boolean {
    return this.#taken[place] === 1;
  }

  /** -1 when there is none. */
  take(): number {
    if (this.#left === 0 || this.#owned === this.#most) return -1;
    this.#left -= 1;
    const place = this.#free[this.#left] ?? -1;
    this.#taken[place] = 1;
    this.#owned += 1;
    return place;
  }

  /** False when it was not taken. */
  give(place: number): boolean {
    if (!this.has(place)) return false;
    this.#taken[place] = 0;
    this.#owned -= 1;
    if (this.#holding) this.#resting.push(place);
    else this.#return(place);
    return true;
  }

  hold(): void {
    this.#holding = true;
  }

  release(): void {
    this.#holding = false;
    for (const place of this.#resting) this.#return(place);
    this.#resting.length = 0;
  }

  #return(place: number): void {
    this.#free[this.#left] = place;
    this.#left += 1;
  }
}
