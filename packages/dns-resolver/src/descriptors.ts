import { readFileSync } from "node:fs";

/** For the health endpoint, its lease holders, the self-check, the log, files being read. */
const RESERVED = 96;
/** Client connections over TCP per address listened on; see tcp-listener.ts. */
const PER_LISTENER = 256;
/** What a thread needs for itself, and its two sockets per address. */
const PER_WORKER = 16;
const SOCKETS_PER_LISTENER = 2;

/** Files and sockets that this process may have open; Infinity where the system does not say. */
export function openFileLimit(read: () => string = readLimits): number {
  const limit = /^Max open files +(\d+)/m.exec(read())?.[1];
  return limit === undefined ? Infinity : Number(limit);
}

/**
 * Sockets that questions to upstreams may take in each of `workers`, so that a flood of names at a silent upstream leaves
 * some for the self-check: without a socket it would call the service dead and move the flood to the next site.
 */
export function upstreamSockets(limit: number, listeners: number, workers: number): number {
  const own = workers * (PER_WORKER + SOCKETS_PER_LISTENER * listeners);
  return Math.floor(Math.max(limit / 4, limit - RESERVED - own - PER_LISTENER * listeners) / workers);
}

function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "latin1");
  } catch {
    return ""; // not Linux
  }
}
