import { open, readdir, rename, rm, truncate, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { LONGEST_LINE } from "./lines.ts";
import { parseRecord } from "./record.ts";
import { restoreSidecar, sizeOf, type SealedSegment } from "./sealing.ts";
import { listSegments, openPath, sealedPath, sidecarPath, type SegmentFiles } from "./segment.ts";
import { readSidecar } from "./summary.ts";

/** More than a segment can hold: added when a damaged one does not tell its last number, so that none is used twice. */
const SEQUENCE_GAP = 1_000_000;
/** Suffix of a file that is set aside: kept for a person, ignored by us. */
const ASIDE = ".damaged";
/** Bytes that are searched at a time for the last record: a torn line and the whole one before it. */
const WINDOW = 2 * LONGEST_LINE;
const ZSTD_MAGIC = 0xfd2fb528;
const LF = 0x0a;

/** What the store holds when the collector starts. */
export interface Recovered {
  readonly nextSequence: number;
  readonly sealed: readonly SealedSegment[];
  /** First numbers of segments that a crash or a stop left unsealed, oldest first. */
  readonly unsealed: readonly number[];
  /** One sentence for each thing that was mended or set aside. */
  readonly notes: readonly string[];
  readonly damaged: number;
  /** First number of a removed segment whose sidecar is kept, so that its numbers are not used again. */
  readonly spent: number | undefined;
}

/**
 * Makes the store usable again whatever the last stop did to it: drops half-made files, cuts torn tails, sets damaged
 * segments aside. Never fails because of what a file contains.
 */
export async function recover(store: string): Promise<Recovered> {
  const recovery = new Recovery(store);
  await recovery.takeLeftovers();
  for (const files of await listSegments(store)) await recovery.take(files);
  await recovery.keepNewestSpent();
  return recovery;
}

class Recovery implements Recovered {
  nextSequence = 1;
  readonly sealed: SealedSegment[] = [];
  readonly unsealed: number[] = [];
  readonly notes: string[] = [];
  damaged = 0;
  spent: number | undefined;
  readonly #store: string;

  constructor(store: string) {
    this.#store = store;
  }

  async takeLeftovers(): Promise<void> {
    for (const name of await readdir(this.#store)) {
      if (/^\d{16}\..*\.tmp$/.test(name)) await rm(join(this.#store, name), { force: true });
      const [, aside] = /^(\d{16})\.ndjson(?:\.zst)?\.damaged$/.exec(name) ?? [];
      if (aside !== undefined) this.#reached(Number(aside) + SEQUENCE_GAP);
    }
  }

  async take(files: SegmentFiles): Promise<void> {
    try {
      if (files.open) await this.#takeOpen(files);
      else if (files.sealed) await this.#takeSealed(files.first);
      else await this.#takeSpent(files.first);
    } catch (failure) {
      await this.#setAside(files, failure instanceof Error ? failure.message : String(failure));
    }
  }

  /** Of the segments that retention removed, the newest one's sidecar says how far the numbers went. */
  async keepNewestSpent(): Promise<void> {
    if (this.spent === undefined || this.sealed.length === 0) return;
    await rm(sidecarPath(this.#store, this.spent), { force: true });
    this.spent = undefined;
  }

  async #takeSpent(first: number): Promise<void> {
    const sidecar = await readSidecar(sidecarPath(this.#store, first));
    if (sidecar !== undefined) this.#reached(sidecar.last);
    const older = sidecar === undefined ? first : this.spent;
    if (older !== undefined) await rm(sidecarPath(this.#store, older), { force: true });
    if (sidecar !== undefined) this.spent = first;
  }

  /** The plain file outlives sealing, so where both exist the sealed one is made again, unless the plain one is empty. */
  async #takeOpen({ first, sealed }: SegmentFiles): Promise<void> {
    const last = await this.#cutTornTail(first);
    if (last === undefined) return sealed ? this.#takeSealed(first) : undefined;
    this.unsealed.push(first);
    this.#reached(last);
  }

  async #takeSealed(first: number): Promise<void> {
    const path = sealedPath(this.#store, first);
    if (!(await hasMagic(path))) throw new Error("it is not zstd");
    const sidecar = await readSidecar(sidecarPath(this.#store, first));
    const segment =
      sidecar === undefined
        ? await restoreSidecar(this.#store, first)
        : { first, last: sidecar.last, until: sidecar.until, bytes: await sizeOf(this.#store, first) };
    if (sidecar === undefined) this.notes.push(`${path}: its sidecar was missing or unreadable and was made again`);
    this.sealed.push(segment);
    this.#reached(segment.last);
  }

  /** Returns the last sequence number, or undefined when the file held no whole line and is gone. */
  async #cutTornTail(first: number): Promise<number | undefined> {
    const path = openPath(this.#store, first);
    const { size, keep, last, lines } = await lastRecord(path);
    if (keep === 0) {
      if (lines > 0) throw new Error("no line of it is a record");
      await rm(path, { force: true });
      if (size > 0) this.notes.push(`${path}: ${size} bytes without a whole record were removed`);
      this.#reached(first - 1);
      return undefined;
    }
    if (keep < size) {
      await truncate(path, keep);
      this.notes.push(`${path}: a torn tail of ${size - keep} bytes was cut`);
    }
    // Lines that power took may have been records, and their numbers seen by somebody.
    return last + lines;
  }

  async #setAside({ first, open: plain }: SegmentFiles, why: string): Promise<void> {
    const path = plain ? openPath(this.#store, first) : sealedPath(this.#store, first);
    await rename(path, `${path}${ASIDE}`).catch(() => undefined);
    this.damaged += 1;
    this.#reached(first + SEQUENCE_GAP);
    this.notes.push(`${path}: set aside as ${path}${ASIDE}: ${why}`);
  }

  #reached(last: number): void {
    this.nextSequence = Math.max(this.nextSequence, last + 1);
  }
}

async function hasMagic(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.readUInt32LE(0) === ZSTD_MAGIC;
  } finally {
    await file.close();
  }
}

interface Tail {
  readonly size: number;
  /** Bytes up to and with the last record; 0 when there is none. */
  readonly keep: number;
  /** Its sequence number. */
  readonly last: number;
  /** Whole lines behind it that are no records. */
  readonly lines: number;
}

async function lastRecord(path: string): Promise<Tail> {
  const file = await open(path, "r");
  try {
    return await searchBack(file);
  } finally {
    await file.close();
  }
}

/**
 * Window by window from the end, overlapping by the longest line. A loss of power may leave zeros where data was still
 * on its way, with or without line ends among them; what stands before them is whole.
 */
async function searchBack(file: FileHandle): Promise<Tail> {
  const { size } = await file.stat();
  let lines = 0;
  let counted = size;
  for (let end = size; end > 0; end -= LONGEST_LINE) {
    const from = Math.max(0, end - WINDOW);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - from), 0, end - from, from);
    const window = buffer.subarray(0, bytesRead);
    for (let stop = window.lastIndexOf(LF); stop >= 0;) {
      const start = stop === 0 ? -1 : window.lastIndexOf(LF, stop - 1);
      if (start < 0 && from > 0) break; // begins in the next window
      const record = parseRecord(window.toString("utf8", start + 1, stop));
      if (record !== undefined) return { size, keep: from + stop + 1, last: record.seq, lines };
      if (from + stop < counted) {
        lines += 1;
        counted = from + stop;
      }
      stop = start;
    }
  }
  return { size, keep: 0, last: 0, lines };
}
