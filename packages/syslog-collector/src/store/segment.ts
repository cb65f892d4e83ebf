import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** Digits of a segment's name: its first sequence number, so that names sort as records do. */
const DIGITS = 16;
const NAME = /^(\d{16})\.(ndjson|ndjson\.zst|json)$/;

/** The files of one segment, by what exists. `open`: plain lines, active or waiting to be sealed. */
export interface SegmentFiles {
  readonly first: number;
  open: boolean;
  sealed: boolean;
  sidecar: boolean;
}

function openName(first: number): string {
  return `${String(first).padStart(DIGITS, "0")}.ndjson`;
}

function sealedName(first: number): string {
  return `${openName(first)}.zst`;
}

function sidecarName(first: number): string {
  return `${String(first).padStart(DIGITS, "0")}.json`;
}

export function openPath(store: string, first: number): string {
  return join(store, openName(first));
}

export function sealedPath(store: string, first: number): string {
  return join(store, sealedName(first));
}

export function sidecarPath(store: string, first: number): string {
  return join(store, sidecarName(first));
}

/** Every segment in the folder, oldest first. */
export async function listSegments(store: string): Promise<SegmentFiles[]> {
  const segments = new Map<number, SegmentFiles>();
  for (const name of await readdir(store)) {
    const [, digits, kind] = NAME.exec(name) ?? [];
    if (digits === undefined) continue;
    const first = Number(digits);
    const files = segments.get(first) ?? { first, open: false, sealed: false, sidecar: false };
    if (kind === "ndjson") files.open = true;
    else if (kind === "json") files.sidecar = true;
    else files.sealed = true;
    segments.set(first, files);
  }
  return [...segments.values()].toSorted((a, b) => a.first - b.first);
}
