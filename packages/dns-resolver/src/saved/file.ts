import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Logger } from "@stitch/health";
import type { Cache } from "../cache.ts";
import { restoreCache, type RestoreOptions } from "./restore.ts";
import { MOST_SAVED_BYTES, saveCache, type SavedRoute } from "./save.ts";
import type { Clock } from "@stitch/clock";

/** One file for each worker: they share nothing, and are stopped at the same time. */
export function savedFile(path: string, worker: number): string {
  return `${path}.${worker + 1}`;
}

/** Saves the cache of `worker`; a stop goes on without it when the file cannot be written, which is logged. */
export function saveTo(
  path: string,
  worker: number,
  cache: Cache,
  routes: readonly SavedRoute[],
  clock: Clock,
  log: Logger,
): void {
  const file = savedFile(path, worker);
  const unfinished = `${file}.new`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    // The names that a site asks for are nobody else's to read.
    writeFileSync(unfinished, saveCache(cache, routes, clock), { mode: 0o600 });
    renameSync(unfinished, file);
  } catch (failure) {
    rmSync(unfinished, { force: true });
    log.warn({ err: failure }, `${file}: the cache was not saved`);
  }
}

/** Restores what `worker` saved, or the first one when there are more workers now; without a file the cache stays empty. */
export async function restoreFrom(path: string, worker: number, options: RestoreOptions, log: Logger): Promise<void> {
  for (const file of [savedFile(path, worker), savedFile(path, 0)]) {
    const bytes = read(file, log);
    if (bytes === undefined) continue;
    const found = await restoreCache(bytes, options);
    if (typeof found === "string") log.warn(`${file}: the saved cache is not used: ${found}`);
    else log.info({ taken: found.taken, dropped: found.dropped }, `${file}: cache restored`);
    return;
  }
}

function read(file: string, log: Logger): Buffer | undefined {
  try {
    const { size } = statSync(file);
    if (size <= MOST_SAVED_BYTES) return readFileSync(file);
    log.warn(`${file}: the saved cache is not used: ${size} bytes are more than ${MOST_SAVED_BYTES}`);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== "ENOENT") log.warn({ err: failure }, `${file} cannot be read`);
  }
  return undefined;
}
