/** Waits until every worker has said that it answers by what it was told last; one telling at a time. */
export class Adoptions {
  readonly #workers: number;
  #missing = 0;
  #done: (() => void) | undefined;

  constructor(workers: number) {
    this.#workers = workers;
  }

  /** To be called in the same turn as the telling. */
  all(): Promise<void> {
    this.#missing = this.#workers;
    return new Promise((resolve) => void (this.#done = resolve));
  }

  /** One more worker has. */
  one(): void {
    this.#missing -= 1;
    if (this.#missing === 0) this.#done?.();
  }
}
