import type { Change } from "./changes.ts";

/**
 * SIGHUP from the first moment of the process on: one that comes while the workers still start must neither end the
 * process, as the system would have it, nor be lost, for the file may have been read before it was changed.
 */
export class ReloadWishes {
  #reloader: { reload(): Promise<Change> } | undefined;
  #early = false;

  readonly wished = (): void => {
    this.#early = this.#reloader === undefined;
    void this.#reloader?.reload();
  };

  /** From now on wishes are fulfilled; an early one is at once. */
  serve(reloader: { reload(): Promise<Change> }): void {
    this.#reloader = reloader;
    if (this.#early) this.wished();
  }
}
