import { open, stat, type FileHandle } from "node:fs/promises";
import { milliseconds, type Clock, type Duration } from "@stitch/clock";
import { RecordMatcher } from "./filter.ts";
import { LineSplitter, LONGEST_LINE } from "./lines.ts";
import { readSegment, type ReadOptions } from "./reader.ts";
import { parseRecord, type LogRecord } from "./record.ts";
import { listSegments, openPath, type SegmentFiles } from "./segment.ts";

/** How often the store is looked at when nothing new was there. */
const LOOK: Duration = milliseconds(100);
const CHUNK = 256 * 1_024;

export interface FollowOptions extends ReadOptions {
  readonly clock: Clock;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /** Sequence number after which to begin; by default what is there already is passed over. */
  readonly after?: number;
  /** Of what is passed over, the last records that match are told all the same: at most so many, of the last MiB. */
  readonly recent?: number;
}

/**
 * New records as they are written, for ever or until `signal`. Works from any process: it holds the active segment open
 * and reads on where it stopped, moves to the next when the collector has, and is not disturbed by sealing, by
 * retention, or by a collector that stops and starts again.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<LogRecord, void> {
  const follower = new Follower(options);
  try {
    yield* await follower.begin();
    while (options.signal?.aborted !== true) {
      let any = false;
      for await (const record of follower.fresh()) {
        any = true;
        yield record;
      }
      if (!any) await pause(options);
    }
  } finally {
    await follower.end();
  }
}

/** The segment being read, with what was read of its last line. */
interface Reading {
  readonly first: number;
  readonly file: FileHandle;
  splitter: LineSplitter;
  offset: number;
}

class Follower {
  readonly #options: FollowOptions;
  readonly #matcher: RecordMatcher;
  readonly #buffer = Buffer.alloc(CHUNK);
  #reading: Reading | undefined;
  /** First number of the newest segment that was read to its end. */
  #finished = -1;
  #last: number;

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#matcher = new RecordMatcher(options);
    this.#last = options.after ?? -1;
  }

  /** Passes over what is there, unless `after` says where to begin. Returns what of it is recent. */
  async begin(): Promise<LogRecord[]> {
    if (this.#options.after !== undefined) return [];
    const newest = (await listSegments(this.#options.path)).at(-1);
    if (newest === undefined) return [];
    this.#finished = newest.first - 1;
    await this.#open(newest.first);
    if (this.#reading !== undefined) return this.#skipToEnd(this.#reading);
    this.#finished = newest.first;
    return [];
  }

  async end(): Promise<void> {
    await this.#reading?.file.close();
    this.#reading = undefined;
  }

  /** What was written since the last call. */
  async *fresh(): AsyncGenerator<LogRecord, void> {
    const later = (await listSegments(this.#options.path)).filter(({ first }) => first > this.#finished);
    if (this.#reading !== undefined) {
      yield* this.#readOn(this.#reading);
      if (await isReplaced(this.#options.path, this.#reading)) return this.end();
      // A later segment exists only once this one is complete, and it was listed before the reading.
      if (!later.some(({ first }) => first > (this.#reading?.first ?? Infinity))) return;
      this.#finished = this.#reading.first;
      await this.end();
    }
    for (const segment of later)
      if (segment.first > this.#finished) yield* this.#take(segment, later.at(-1) === segment);
  }

  async *#take(segment: SegmentFiles, newest: boolean): AsyncGenerator<LogRecord, void> {
    if (segment.open) await this.#open(segment.first);
    if (this.#reading === undefined) {
      for await (const record of readSegment(this.#options, segment, this.#matcher, this.#last)) {
        this.#last = record.seq;
        yield record;
      }
      if (segment.sealed || !newest) this.#finished = segment.first;
      return;
    }
    yield* this.#readOn(this.#reading);
    if (newest) return;
    this.#finished = segment.first;
    await this.end();
  }

  async #open(first: number): Promise<void> {
    try {
      const file = await open(openPath(this.#options.path, first), "r");
      this.#reading = { first, file, splitter: new LineSplitter(), offset: 0 };
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== "ENOENT") throw failure;
    }
  }

  /** A line that is being written began within the last MiB, so that is where to begin; in the midst of another. */
  async #skipToEnd(reading: Reading): Promise<LogRecord[]> {
    const { recent = 0 } = this.#options;
    const { size } = await reading.file.stat();
    reading.offset = Math.max(0, size - LONGEST_LINE);
    const found: LogRecord[] = [];
    for await (const record of this.#readOn(reading)) if (found.push(record) > recent) found.shift();
    return found;
  }

  async *#readOn(reading: Reading): AsyncGenerator<LogRecord, void> {
    await rewindIfCut(reading);
    for (let read = await this.#read(reading); read.length > 0; read = await this.#read(reading)) {
      for (const line of reading.splitter.lines(read)) {
        const record = this.#matcher.mayMatch(line) ? parseRecord(line.toString("utf8")) : undefined;
        if (record === undefined || record.seq <= this.#last || !this.#matcher.matches(record)) continue;
        this.#last = record.seq;
        yield record;
      }
    }
  }

  async #read(reading: Reading): Promise<Buffer> {
    const { bytesRead } = await reading.file.read(this.#buffer, 0, CHUNK, reading.offset);
    reading.offset += bytesRead;
    return this.#buffer.subarray(0, bytesRead);
  }
}

/** A start that finds no whole record in a segment removes it, and the next record begins a file of the same name. */
async function isReplaced(store: string, { first, file }: Reading): Promise<boolean> {
  const [{ ino, nlink }, named] = await Promise.all([
    file.stat(),
    stat(openPath(store, first)).catch(() => undefined), // sealed, or removed by retention
  ]);
  return nlink === 0 && named !== undefined && named.ino !== ino;
}

/** A write that failed half-way is cut back to its last whole line: forget the half line. */
async function rewindIfCut(reading: Reading): Promise<void> {
  const { size } = await reading.file.stat();
  if (size >= reading.offset) return;
  reading.offset = size;
  reading.splitter = new LineSplitter();
}

async function pause({ clock, signal }: FollowOptions): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = clock.after("follow", LOOK, done);
    function done(): void {
      signal?.removeEventListener("abort", done);
      timer.cancel();
      resolve();
    }
    signal?.addEventListener("abort", done);
  });
}
