import { rm } from "node:fs/promises";
import type { Duration } from "@stitch/clock";
import type { Disk } from "./files.ts";
import type { SealedSegment } from "./sealing.ts";
import { sealedPath, sidecarPath } from "./segment.ts";

/** What may stay. */
export interface Retain {
  readonly age: Duration;
  /** Bytes. */
  readonly size: number;
  /** Share of the file system that must stay free, 0 to 1. */
  readonly minFree: number;
}

export interface RetentionResult {
  readonly removed: number;
  /** First number of the last of all, whose sidecar was left. */
  readonly spent: number | undefined;
  /** True when the file system is still fuller than minFree allows, with nothing of ours left to remove. */
  readonly low: boolean;
}

/** Removes the oldest sealed segments, one by one, until all three limits hold. `sealed` is oldest first and shrinks. */
export async function enforce(
  store: string,
  retain: Retain,
  {
    sealed,
    activeBytes,
    wallMicros,
    disk,
  }: {
    readonly sealed: SealedSegment[];
    readonly activeBytes: number;
    readonly wallMicros: number;
    readonly disk: Disk;
  },
): Promise<RetentionResult> {
  let total = sealed.reduce((sum, { bytes }) => sum + bytes, activeBytes);
  let free = await disk.freeShare(store);
  let removed = 0;
  let spent: number | undefined;
  for (let oldest = sealed[0]; oldest !== undefined; oldest = sealed[0]) {
    const tooOld = wallMicros / 1_000 - Date.parse(oldest.until) > retain.age;
    if (!tooOld && total <= retain.size && free >= retain.minFree) break;
    // The last sidecar stays: it tells the next start how far the numbers went, and a full disk has it already.
    spent = sealed.length === 1 ? oldest.first : undefined;
    await rm(sealedPath(store, oldest.first), { force: true });
    if (spent === undefined) await rm(sidecarPath(store, oldest.first), { force: true });
    sealed.shift();
    removed += 1;
    total -= oldest.bytes;
    free = await disk.freeShare(store);
  }
  return { removed, spent, low: free < retain.minFree };
}
