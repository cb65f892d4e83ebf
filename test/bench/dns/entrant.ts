import type { Contestant } from "../contest.ts";
import { asked } from "./client.ts";
import { ZONE } from "./names.ts";

export const UPSTREAM_PORT = 5_400;
/** What a cache is sized for where it counts entries: a million names, and those of misses and floods beside them. */
export const CACHE_ENTRIES = 2_000_000;

export interface Setup {
  /** For files, gone after the run. */
  readonly folder: string;
  /** Threads, or processes where a server has those. */
  readonly workers: number;
}

/** A server that takes part: how it is started, and what a reader must know to judge whether it was treated fairly. */
export interface Entrant extends Contestant {
  readonly version: string;
  /** In words. */
  readonly settings: string;
  /** The same without a cache, where it takes all memory of its cache at the start. */
  readonly without?: Contestant;
}

/** One that takes no part, and why: a sentence. */
export interface Absent {
  readonly name: string;
  readonly absent: string;
}

export type Maker = (setup: Setup) => Promise<Entrant | Absent>;

/** Whether a server answers for the zone; by a name that is not measured, because it is in the cache from now on. */
export async function answers(port: number): Promise<boolean> {
  return ((await asked(port, `ns.${ZONE}`))?.answers?.length ?? 0) > 0;
}
