import { open, rename, statfs, writeFile, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/** A segment that is being written. */
export interface SegmentFile {
  /** Appends and returns how many bytes the system took: perhaps not all. */
  write(bytes: Uint8Array, offset: number, length: number): Promise<number>;
  /** Resolves when what was written would survive a loss of power. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The disk as the journal sees it; tests pass one that is full. */
export interface Disk {
  /** Fails when the file exists: no segment is ever written twice. */
  create(path: string): Promise<SegmentFile>;
  /** Makes the names in a folder survive a loss of power: a file that was synced is lost when its name is. */
  syncFolder(path: string): Promise<void>;
  /** Share of the file system that is free to us, 0 to 1. */
  freeShare(path: string): Promise<number>;
}

class HandleFile implements SegmentFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(bytes: Uint8Array, offset: number, length: number): Promise<number> {
    const { bytesWritten } = await this.#handle.write(bytes, offset, length, null);
    return bytesWritten;
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  truncate(length: number): Promise<void> {
    return this.#handle.truncate(length);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

export const systemDisk: Disk = {
  async create(path) {
    return new HandleFile(await open(path, "ax", 0o640));
  },
  syncFolder,
  async freeShare(path) {
    const { bavail, blocks } = await statfs(path);
    return blocks === 0 ? 1 : bavail / blocks;
  },
};

/** Writes a small file so that after a crash either the old one or the whole new one is there. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text, { flush: true, mode: 0o640 });
  await rename(`${path}.tmp`, path);
  await syncFolder(dirname(path));
}

/** Makes names in a folder survive a loss of power; not every file system can, and none refuses for good. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  await folder.sync().catch(() => undefined);
  await folder.close();
}
