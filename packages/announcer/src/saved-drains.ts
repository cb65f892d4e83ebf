import { readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";

const savedDrain = z.object({
  vip: z.string(),
  reason: z.string(),
  forced: z.boolean(),
  /** The guard had let go, or nothing was announced. Otherwise the address may live by this last resort alone. */
  withdrawn: z.boolean(),
  /** Wall time in microseconds when it returns by itself; undefined: never. */
  returnsAt: z.number().optional(),
});

/** An operator's drain as it outlives the announcer. */
export type SavedDrain = z.infer<typeof savedDrain>;

/**
 * The operators' drains on disk: an announcer that is restarted in the middle of a maintenance must not announce what
 * an operator has drained. Written behind the decisions, the latest state only: a route does not wait for a disk.
 */
export class SavedDrains {
  readonly #path: string | undefined;
  readonly #onFailure: (failure: Error) => void;
  #next: readonly SavedDrain[] | undefined;
  #writing: Promise<void> | undefined;

  /** `path` undefined saves nothing. A disk that refuses is reported; the drain is in force all the same. */
  constructor(path: string | undefined, onFailure: (failure: Error) => void) {
    this.#path = path;
    this.#onFailure = onFailure;
  }

  read(): readonly SavedDrain[] {
    if (this.#path === undefined) return [];
    try {
      return z.array(savedDrain).parse(JSON.parse(readFileSync(this.#path, "utf8")));
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== "ENOENT") this.#onFailure(failure as Error);
      return [];
    }
  }

  save(drains: readonly SavedDrain[]): void {
    if (this.#path === undefined) return;
    this.#next = drains;
    this.#writing ??= this.#writeAll(this.#path);
  }

  /** Resolves when what was saved last is on disk, or has failed to be. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(path: string): Promise<void> {
    await Promise.resolve(); // the caller's turn is over first: what else it saves replaces this
    for (let drains = this.#next; drains !== undefined; drains = this.#next) {
      this.#next = undefined;
      await this.#write(path, drains);
    }
    this.#writing = undefined;
  }

  async #write(path: string, drains: readonly SavedDrain[]): Promise<void> {
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(`${path}.new`, `${JSON.stringify(drains)}\n`, { mode: 0o640 });
      await rename(`${path}.new`, path);
    } catch (failure) {
      this.#onFailure(failure as Error);
    }
  }
}
