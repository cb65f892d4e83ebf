import { closeSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { appendFile, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** One file is kept beside the current one; together they bound the disk that the journal takes. */
const LARGEST_JOURNAL = 8 * 2 ** 20;
/** What waits for a disk that hangs, in bytes; what comes after that never reaches the file. */
const MOST_WAITING = 2 ** 20;
/** How far back an earlier journal is read, in bytes. */
const TAIL = 2 ** 20;

/** The journal on disk: appended behind the caller's back, in order, in batches; never waited for. */
export class JournalFile {
  readonly #path: string;
  readonly #onFailure: (failure: Error) => void;
  #waiting = "";
  #size = 0;
  #dropped = 0;
  #failed = false;
  #writing: Promise<void> | undefined;

  constructor(path: string, onFailure: (failure: Error) => void) {
    this.#path = path;
    this.#onFailure = onFailure;
  }

  /** The last lines of what an earlier announcer left; reports what stands in the way, and then has none. */
  readTail(): string[] {
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      this.#size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
      if (this.#size === 0) return [];
      const tail = readEnd(this.#path, this.#size);
      if (!tail.endsWith("\n")) this.append("\n"); // killed in the middle of a line: the next one begins afresh
      return tail.split("\n");
    } catch (failure) {
      this.#report(failure as Error);
      return [];
    }
  }

  append(line: string): void {
    if (this.#waiting.length > MOST_WAITING) this.#dropped += 1;
    else this.#waiting += line;
    this.#writing ??= this.#write();
  }

  async written(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // the caller's turn is over first: what else it appends goes in the same write
    while (this.#waiting !== "") {
      const batch = this.#waiting;
      this.#waiting = "";
      await this.#writeBatch(batch);
    }
    this.#writing = undefined;
  }

  async #writeBatch(batch: string): Promise<void> {
    try {
      if (this.#size > LARGEST_JOURNAL) await this.#rotate();
      await appendFile(this.#path, batch, { mode: 0o640 });
      this.#size += Buffer.byteLength(batch);
      this.#failed = false;
      if (this.#dropped > 0)
        this.#onFailure(new Error(`${this.#dropped} entries were not written: the disk was too slow`));
      this.#dropped = 0;
    } catch (failure) {
      this.#report(failure as Error);
    }
  }

  async #rotate(): Promise<void> {
    await rename(this.#path, `${this.#path}.1`);
    this.#size = 0;
  }

  #report(failure: Error): void {
    if (!this.#failed) this.#onFailure(failure);
    this.#failed = true;
  }
}

function readEnd(path: string, size: number): string {
  const descriptor = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(Math.min(size, TAIL));
    const read = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8", 0, read);
  } finally {
    closeSync(descriptor);
  }
}
