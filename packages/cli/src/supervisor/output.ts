import type { Clock, Duration } from "@stitch/clock";

/** What waits for a reader of our output, in bytes; a reader who has gone to lunch must not cost more memory than this. */
const MOST_WAITING = 2 ** 20;

/** Where lines go: process.stdout, or a test's stand-in. */
export type OutputStream = Pick<NodeJS.WritableStream, "write" | "on"> & {
  readonly writableLength: number;
  readonly isTTY?: boolean;
};

/**
 * The supervisor's own output, which never waits for its reader. Someone presses Ctrl-S, or pauses `less`: the roles
 * must not stop with the screen. Lines beyond MOST_WAITING are dropped and counted; a reader that is gone is forgotten.
 */
export class Output {
  readonly #stream: OutputStream;
  #dropped = 0;
  #gone = false;

  constructor(stream: OutputStream) {
    this.#stream = stream;
    if (stream.isTTY === true) unblock(stream);
    stream.on("error", () => void (this.#gone = true));
    stream.on("drain", () => this.#caughtUp());
  }

  print(text: string): void {
    if (this.#gone) return;
    if (this.#stream.writableLength > MOST_WAITING) this.#dropped += 1;
    else this.#stream.write(`${text}\n`);
  }

  /** Resolves when everything printed has been read, at the latest after `limit`. */
  flushed(clock: Clock, limit: Duration): Promise<void> {
    return new Promise((resolve) => {
      const timer = clock.after("last-words", limit, resolve);
      this.#stream.write("", () => {
        timer.cancel();
        resolve();
      });
    });
  }

  #caughtUp(): void {
    if (this.#dropped === 0) return;
    this.#stream.write(`stitch: ${this.#dropped} lines were dropped here: nobody read them\n`);
    this.#dropped = 0;
  }
}

/** Node writes to a terminal synchronously, so a paused one would stop the event loop. No public call changes that. */
function unblock(stream: unknown): void {
  const { _handle: handle } = stream as { readonly _handle?: { setBlocking?(blocking: boolean): void } };
  handle?.setBlocking?.(false);
}
