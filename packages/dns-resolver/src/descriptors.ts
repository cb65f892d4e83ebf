import { readFileSync } from "node:fs";

/** For the health endpoint, its lease holders, the self-check, the log, files being read. */
const RESERVED = 96;
/** Client connections over TCP per address listened on; see tcp-listener.ts. */
const PER_LISTENER = 256;

/** Files and sockets that this process may have open; undefined where the system does not say. */
export function openFileLimit(read: () => string = readLimits): number | undefined {
  const limit = /^Max open files +(\d+)/m.exec(read())?.[1];
  return limit === undefined ? undefined : Number(limit);
}

/**
 * Sockets that questions to upstreams may take, so that a flood of names at a silent upstream leaves some for the
 * self-check: without a socket it would call the service dead and move the flood to the next site.
 */
export function upstreamSockets(limit: number, listeners: number): number {
  return Math.max(Math.floor(limit / 4), limit - RESERVED - PER_LISTENER * listeners);
}

function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "latin1");
  } catch {
    return ""; // not Linux
  }
}
