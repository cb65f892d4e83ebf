import type { Instant } from "@stitch/clock";
import type { SegmentFile } from "./files.ts";
import type { Summary } from "./summary.ts";

/** One segment's worth of records; slabs belong to one, so a segment ends where a slab does. */
export interface Generation {
  readonly summary: Summary;
  readonly began: Instant;
}

/** The segment that is being written. */
export interface OpenSegment {
  readonly file: SegmentFile;
  readonly first: number;
  readonly generation: Generation;
  /** False when part of the generation went to another file: its summary is then counted anew from the file. */
  readonly whole: boolean;
  length: number;
  unsynced: boolean;
  /** The folder was synced since the file was made: its name is as safe as its bytes. */
  named: boolean;
  /** Behind `length` stands half a line that could not be cut off yet. */
  torn: boolean;
}

/** Leaves whole lines only. */
export async function cut(segment: OpenSegment): Promise<void> {
  await segment.file.truncate(segment.length);
  segment.torn = false;
}
