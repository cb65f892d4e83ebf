import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { replaceFile } from "./files.ts";
import type { ClosedSegment } from "./journal.ts";
import { fileLines } from "./lines.ts";
import { parseRecord } from "./record.ts";
import { openPath, sealedPath, sidecarPath } from "./segment.ts";
import { Summary } from "./summary.ts";

/** zstd's own default: 7:1 on switch logs at some hundred MB/s. */
const LEVEL = 3;
/** Lines counted between turns of the event loop when a summary has to be made anew. */
const LINES_PER_TURN = 500;

const ZSTD = {
  params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
};

/** What a sealed segment takes and how far it reaches. */
export interface SealedSegment {
  readonly first: number;
  readonly last: number;
  /** Bytes on disk, sidecar included. */
  readonly bytes: number;
  /** RFC 3339: end of its newest record. */
  readonly until: string;
}

/**
 * Turns a closed segment into `.ndjson.zst` with a sidecar. Compression runs on zlib's threads. At any moment a crash
 * leaves the plain file, or the sealed one that was complete and synced before the plain one went.
 * Resolves with undefined, removing the file, when there is no record in it.
 */
export async function sealSegment(
  store: string,
  { first, summary: known }: ClosedSegment,
): Promise<SealedSegment | undefined> {
  const plain = openPath(store, first);
  const sealed = sealedPath(store, first);
  const summary = known ?? (await countFile(plain));
  if (summary.count === 0) {
    await rm(plain, { force: true });
    return undefined;
  }
  await compress(plain, `${sealed}.tmp`);
  await rename(`${sealed}.tmp`, sealed);
  await writeSidecar(store, first, summary); // syncs the folder: both names are safe before the plain one goes
  await rm(plain, { force: true });
  return sealedSegment(store, first, summary);
}

async function compress(from: string, to: string): Promise<void> {
  const output = createWriteStream(to, { mode: 0o640, flush: true });
  try {
    await pipeline(createReadStream(from), createZstdCompress(ZSTD), output);
  } catch (failure) {
    await rm(to, { force: true }); // half a segment would only take the room that is lacking
    throw failure;
  }
}

/** Makes the sidecar of a sealed segment that lost its own. Rejects when the segment cannot be decompressed. */
export async function restoreSidecar(store: string, first: number): Promise<SealedSegment> {
  const summary = await countFile(sealedPath(store, first));
  if (summary.count === 0) throw new Error("no record in it");
  await writeSidecar(store, first, summary);
  return sealedSegment(store, first, summary);
}

async function writeSidecar(store: string, first: number, summary: Summary): Promise<void> {
  await replaceFile(sidecarPath(store, first), `${JSON.stringify(summary.sidecar())}\n`);
}

async function sealedSegment(store: string, first: number, summary: Summary): Promise<SealedSegment> {
  const { last, until } = summary.sidecar();
  return { first, last, until, bytes: await sizeOf(store, first) };
}

/** Bytes that a sealed segment and its sidecar take. */
export async function sizeOf(store: string, first: number): Promise<number> {
  const sizes = await Promise.all([stat(sealedPath(store, first)), stat(sidecarPath(store, first))]);
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

async function countFile(path: string): Promise<Summary> {
  const summary = new Summary();
  let lines = 0;
  for await (const line of fileLines(path)) {
    const record = parseRecord(line.toString("utf8"));
    if (record !== undefined) summary.addRecord(record, line.length + 1);
    lines += 1;
    if (lines % LINES_PER_TURN === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return summary;
}
