import { formatPrefix, type Prefix } from "@stitch/bgp-speaker";
import { milliseconds, type Clock, type Duration } from "@stitch/clock";
import type { RouteTable } from "../ip-command.ts";
import type { KernelRoute } from "../kernel-route.ts";

const PAUSE: Duration = milliseconds(100);
/** A machine on which `ip` fails this often in a row cannot be helped from here. */
const MOST_TRIES = 50;

/**
 * Removes every route of ours for these VIPs, and looks again until none is left: an `ip` that the dead announcer had
 * started may still be at work. Answers how many were removed; rejects when the tables cannot be changed.
 */
export async function flush(table: RouteTable, prefixes: readonly Prefix[], clock: Clock): Promise<number> {
  let removed = 0;
  let failure: unknown;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    try {
      const ours = await found(table, prefixes);
      if (ours.length === 0 && tries > 0) return removed;
      if (ours.length > 0) await table.change({ add: [], remove: ours });
      removed += ours.length;
    } catch (error) {
      failure = error;
    }
    await new Promise<void>((resolve) => void clock.after("flush", PAUSE, resolve));
  }
  throw failure ?? new Error("somebody keeps adding the routes of a dead announcer");
}

async function found(table: RouteTable, prefixes: readonly Prefix[]): Promise<KernelRoute[]> {
  const names = new Set(prefixes.map(formatPrefix));
  const families = [...new Set(prefixes.map(({ family }) => family))];
  const tables = await Promise.all(families.map((family) => table.read(family)));
  return tables.flatMap(({ routes }) => routes).filter(({ prefix }) => names.has(formatPrefix(prefix)));
}
