import { randomFillSync } from "node:crypto";

/** Ids drawn at once: one call of the generator for a thousand queries. */
const POOL = 1_024;

/** Message ids that nobody can predict (CVE-2019-19794 class). */
export class RandomIds {
  readonly #pool = new Uint16Array(POOL);
  #next = POOL;

  next(): number {
    if (this.#next === POOL) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    const id = this.#pool[this.#next] ?? 0;
    this.#next += 1;
    return id;
  }
}
