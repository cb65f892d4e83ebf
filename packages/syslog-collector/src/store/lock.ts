import { readFile, readlink, rm, symlink } from "node:fs/promises";
import { join } from "node:path";

const NAME = "writer.lock";
/** Held by the one who removes a stale lock: else two who find it stale could each remove what the other just made. */
const TAKEOVER_NAME = "writer.takeover.lock";
/** A stale lock is taken over; someone who wins every race against us is not stale. */
const MOST_ATTEMPTS = 5;

/** The store belongs to another collector. */
export class StoreLockedError extends Error {
  override readonly name = "StoreLockedError";
}

/**
 * One writer per store. The lock names its process and when that started, so that a number used again after a crash,
 * or the eternal process 1 of a container, is not taken for the writer. It is a symbolic link whose target is that text:
 * made with its content in one step, and on a full disk too. Returns how to let go.
 */
export async function lockStore(store: string): Promise<() => Promise<void>> {
  const path = join(store, NAME);
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    if (await claimed(path)) return () => rm(path, { force: true });
    const holder = await readlink(path).catch(() => "");
    if (await isAlive(holder)) {
      throw new StoreLockedError(
        `process ${holder.split(" ")[0]} already writes to ${store}; stop it or name another path`,
      );
    }
    await removeStale(store, path);
  }
  throw new StoreLockedError(`another process keeps taking ${path}`);
}

async function removeStale(store: string, path: string): Promise<void> {
  const takeover = join(store, TAKEOVER_NAME);
  if (!(await claimed(takeover))) {
    const holder = await readlink(takeover).catch(() => undefined);
    // Whoever died within these few lines must not close the store for ever.
    if (holder !== undefined && !(await isAlive(holder))) await rm(takeover, { force: true });
    return;
  }
  // A lock that is gone by now may come back, made by somebody alive.
  const holder = await readlink(path).catch(() => undefined);
  if (holder !== undefined && !(await isAlive(holder))) await rm(path, { force: true });
  await rm(takeover, { force: true });
}

async function claimed(path: string): Promise<boolean> {
  try {
    await symlink(`${process.pid} ${await startOf(process.pid)}`, path);
    return true;
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw failure;
  }
}

async function isAlive(holder: string): Promise<boolean> {
  const [, pid, start] = /^(\d+) (\S+)$/.exec(holder) ?? [];
  if (pid === undefined || Number(pid) === 0) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === "EPERM" && (await startOf(Number(pid))) === start;
  }
  return (await startOf(Number(pid))) === start;
}

/** Field 22 of /proc/PID/stat: start in clock ticks since boot; `-` where there is no /proc. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "-";
}
