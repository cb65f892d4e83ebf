/** One answer from each worker to what all were told; what comes late to an older telling is left out. */
export class Round<Answer> {
  readonly #workers: number;
  #id = 0;
  #answers: Answer[] = [];
  #done: ((answers: readonly Answer[]) => void) | undefined;

  constructor(workers: number) {
    this.#workers = workers;
  }

  /** Tells them, with a number that their answers bear; ends the round before, which never resolves then. */
  ask(tell: (id: number) => void): Promise<readonly Answer[]> {
    this.#id += 1;
    this.#answers = [];
    const { promise, resolve } = Promise.withResolvers<readonly Answer[]>();
    this.#done = resolve;
    tell(this.#id);
    return promise;
  }

  answered(id: number, answer: Answer): void {
    if (id !== this.#id) return;
    this.#answers.push(answer);
    if (this.#answers.length === this.#workers) this.#done?.(this.#answers);
  }
}
