/** Lines gather in slabs of this many bytes; the longest line fits one. */
export const SLAB_BYTES = 1 << 20;
/** What may wait for the disk, in slabs: 64 MiB. A disk that hangs while a flood arrives costs this much, no more. */
export const MOST_SLABS = 64;
/** Slabs kept for reuse when the journal is idle. */
const SPARE_SLABS = 4;
const LF = 0x0a;

/** Whole lines in memory, on their way to the segment of one generation. */
export interface Slab<Generation> {
  readonly bytes: Uint8Array;
  generation: Generation;
  /** Sequence number of the first line. */
  first: number;
  length: number;
  /** Bytes already in a file. */
  written: number;
}

/** The slab being filled, those that wait, and a few spare ones; never more than the bound together. */
export class Slabs<Generation> {
  readonly #most: number;
  readonly #waiting: Slab<Generation>[] = [];
  readonly #spare: Uint8Array[] = [];
  #count = 1;
  #filling: Slab<Generation>;

  constructor(generation: Generation, most: number = MOST_SLABS) {
    this.#most = most;
    this.#filling = emptySlab(new Uint8Array(SLAB_BYTES), generation);
  }

  get filling(): Slab<Generation> {
    return this.#filling;
  }

  /** The slab that has waited longest. */
  get next(): Slab<Generation> | undefined {
    return this.#waiting[0];
  }

  get waitingBytes(): number {
    return this.#waiting.reduce((sum, slab) => sum + slab.length - slab.written, this.#filling.length);
  }

  /** Lines that no file has. */
  get waitingLines(): number {
    return [...this.#waiting, this.#filling].reduce((sum, slab) => sum + linesAfter(slab), 0);
  }

  /** What all slabs in use take, however full they are. */
  get heldBytes(): number {
    return this.#count * SLAB_BYTES;
  }

  get full(): boolean {
    return this.#count >= this.#most;
  }

  hasRoom(room: number): boolean {
    return this.#filling.bytes.length - this.#filling.length >= room;
  }

  /** Lets the filled slab wait; what follows goes to another, of `generation`. */
  handOver(generation: Generation): void {
    if (this.#filling.length === 0) {
      this.#filling.generation = generation;
      return;
    }
    this.#waiting.push(this.#filling);
    this.#filling = emptySlab(this.#spare.pop() ?? new Uint8Array(SLAB_BYTES), generation);
    this.#count += 1;
  }

  /** The slab that waited longest is in its file. */
  release(): void {
    const slab = this.#waiting.shift();
    if (slab === undefined) return;
    this.#count -= 1;
    if (this.#spare.length < SPARE_SLABS) this.#spare.push(slab.bytes);
  }
}

function emptySlab<Generation>(bytes: Uint8Array, generation: Generation): Slab<Generation> {
  return { bytes, generation, first: 0, length: 0, written: 0 };
}

/** Start of the line that `written` stands in. */
export function lineStart(slab: Slab<unknown>): number {
  return slab.written === 0 ? 0 : slab.bytes.lastIndexOf(LF, slab.written - 1) + 1;
}

/** Sequence number of the line at `written`, read from the line itself: `{"seq":NUMBER,`. */
export function firstUnwritten(slab: Slab<unknown>): number {
  if (slab.written === 0) return slab.first;
  const head = Buffer.from(slab.bytes.buffer, slab.bytes.byteOffset + slab.written, 32).toString("latin1");
  return Number(/^\{"seq":(\d+)/.exec(head)?.[1] ?? slab.first);
}

function linesAfter({ bytes, written, length }: Slab<unknown>): number {
  let count = 0;
  for (let i = written; i < length; i += 1) if (bytes[i] === LF) count += 1;
  return count;
}
