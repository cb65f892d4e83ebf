import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 100;
/** A download over a slow line; past this the waiter says who holds the lock instead of hanging a test run for ever. */
const LONGEST_WAIT_MS = 300_000;

/** Runs `work` while no other process of this machine runs work under the same lock folder. A dead holder's lock is taken over. */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const deadline = process.hrtime.bigint() + BigInt(LONGEST_WAIT_MS) * 1_000_000n;
  while (!(await acquire(folder))) {
    if (process.hrtime.bigint() > deadline)
      throw new Error(
        `${folder} has been locked for ${LONGEST_WAIT_MS / 1000} s; remove it if nothing is being fetched`,
      );
    await delay(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function acquire(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
  } catch {
    await dropIfHolderIsDead(folder);
    return false;
  }
  await writeFile(join(folder, "pid"), String(process.pid));
  return true;
}

async function dropIfHolderIsDead(folder: string): Promise<void> {
  const pid = Number(await readFile(join(folder, "pid"), "utf8").catch(() => ""));
  if (pid > 0 && !isAlive(pid)) await rm(folder, { recursive: true, force: true });
}

/** True while a process has this id, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
