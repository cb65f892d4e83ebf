import { createReadStream } from "node:fs";
import { createZstdDecompress } from "node:zlib";

const LF = 0x0a;
/** No line of ours is longer; a file without line ends is not ours. */
export const LONGEST_LINE = 1 << 20;

/** Cuts a stream of bytes at line ends. What stands after the last one is a record still being written, or torn. */
export class LineSplitter {
  #rest: Buffer | undefined;
  #skipping = false;

  /** Bytes held back because their line has not ended. */
  get pending(): number {
    return this.#rest?.length ?? 0;
  }

  /** Lines that `chunk` completes, without their LF. They may share its memory. */
  *lines(chunk: Buffer): Generator<Buffer, void> {
    let from = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      const part = chunk.subarray(from, at);
      const line = this.#rest === undefined ? part : Buffer.concat([this.#rest, part]);
      if (!this.#skipping) yield line;
      this.#rest = undefined;
      this.#skipping = false;
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0 || this.#skipping) return;
    this.#rest = this.#rest === undefined ? Buffer.from(rest) : Buffer.concat([this.#rest, rest]);
    if (this.#rest.length <= LONGEST_LINE) return;
    this.#rest = undefined;
    this.#skipping = true;
  }
}

/** Lines of a segment file, plain or `.zst`. Rejects when the file is gone or its compression is damaged. */
export async function* fileLines(path: string): AsyncGenerator<Buffer, void> {
  const file = createReadStream(path, { highWaterMark: 256 * 1_024 });
  const splitter = new LineSplitter();
  if (!path.endsWith(".zst")) {
    for await (const chunk of file) yield* splitter.lines(chunk as Buffer);
    return;
  }
  const plain = createZstdDecompress();
  file.on("error", (failure) => plain.destroy(failure));
  try {
    for await (const chunk of file.pipe(plain)) yield* splitter.lines(chunk as Buffer);
  } finally {
    file.destroy();
    plain.destroy();
  }
}
