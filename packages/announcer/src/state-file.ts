import { readFileSync, statSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { z } from "zod";

/** What the announcer keeps is a few lines per VIP; a larger file is not its own, and would only fill memory. */
const LARGEST_FILE = 256 * 1_024;

/**
 * State that outlives the announcer. Written behind the decisions, the latest only: a route does not wait for a disk.
 * What cannot be read or written is reported, and the announcer goes on without.
 */
export class StateFile<T> {
  readonly #path: string | undefined;
  readonly #schema: z.ZodType<T>;
  readonly #onFailure: (failure: Error) => void;
  #next: T | undefined;
  #writing: Promise<void> | undefined;

  /** `path` undefined saves nothing. */
  constructor(path: string | undefined, schema: z.ZodType<T>, onFailure: (failure: Error) => void) {
    this.#path = path;
    this.#schema = schema;
    this.#onFailure = onFailure;
  }

  /** What was saved last; undefined when there is nothing, or nothing that can be used. */
  read(): T | undefined {
    if (this.#path === undefined) return undefined;
    try {
      const { size } = statSync(this.#path);
      if (size > LARGEST_FILE) throw new Error(`${this.#path} has ${size} bytes, more than this announcer writes`);
      return this.#schema.parse(JSON.parse(readFileSync(this.#path, "utf8")));
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== "ENOENT") this.#onFailure(failure as Error);
      return undefined;
    }
  }

  save(state: T): void {
    if (this.#path === undefined) return;
    this.#next = state;
    this.#writing ??= this.#writeAll(this.#path);
  }

  /** Resolves when what was saved last is on disk, or has failed to be. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(path: string): Promise<void> {
    await Promise.resolve(); // the caller's turn is over first: what else it saves replaces this
    for (let state = this.#next; state !== undefined; state = this.#next) {
      this.#next = undefined;
      await this.#write(path, state);
    }
    this.#writing = undefined;
  }

  async #write(path: string, state: T): Promise<void> {
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(`${path}.new`, `${JSON.stringify(state)}\n`, { mode: 0o640 });
      await rename(`${path}.new`, path);
    } catch (failure) {
      this.#onFailure(failure as Error);
    }
  }
}
