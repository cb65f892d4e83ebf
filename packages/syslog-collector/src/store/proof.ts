import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Disk } from "./files.ts";

/** Left by a crash in the middle, it is removed by the next proof. */
const PROOF = "writable.tmp";
const PROOF_BYTES = 4_096;

/** Writes, syncs and removes a block as a record would be. Rejects with a sentence when the disk does not take it. */
export async function proveWritable(disk: Disk, store: string): Promise<void> {
  const path = join(store, PROOF);
  try {
    await rm(path, { force: true });
    await writeBlock(disk, path);
  } catch (failure) {
    throw new Error(`cannot write to the store: ${(failure as Error).message}`, { cause: failure });
  } finally {
    await rm(path, { force: true }).catch(() => undefined); // the next proof tries again, and says why
  }
}

async function writeBlock(disk: Disk, path: string): Promise<void> {
  const file = await disk.create(path);
  try {
    const taken = await file.write(new Uint8Array(PROOF_BYTES), 0, PROOF_BYTES);
    if (taken < PROOF_BYTES) throw new Error(`the disk took ${taken} of ${PROOF_BYTES} bytes`);
    await file.sync();
  } finally {
    await file.close();
  }
}
