import { type Duration } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { Cache, tickOf } from "../src/cache.ts";
import { packImage, WORD } from "../src/cache/image.ts";
import { fingerprint } from "../src/saved/layout.ts";
import { restoreCache, type Restored, type SavedFault } from "../src/saved/restore.ts";
import type { SavedRoute } from "../src/saved/save.ts";
import { digest } from "../src/upstream/digest.ts";
import { decodeMessage } from "../src/wire/message.ts";
import type { Query } from "../src/wire/query.ts";
import { respond } from "./fake-upstream.ts";
import { queryFor, view, type QueryOptions, soaFor } from "./fixtures.ts";

const LIMITS = { maxTtl: 86_400, negativeTtl: 900 };
const STALE = 86_400;
export const ROOT: SavedRoute = { number: 0, fingerprint: fingerprint("root") };
export const CORP: SavedRoute = { number: 1, fingerprint: fingerprint("corp") };
const SOA = soaFor(60);

export function cacheOf(size = 2 ** 20): Cache {
  return new Cache({ size, staleSeconds: STALE, seed: Math.floor(Math.random() * 2 ** 32) });
}

export interface Kept extends QueryOptions {
  readonly tag?: number;
  readonly ttl?: number;
  readonly missing?: boolean;
  readonly spliced?: boolean;
  /** An alias to this name stands before the address. */
  readonly alias?: string;
}

export function keep(cache: Cache, clock: FakeClock, name: string, { tag = 0, ttl = 3_600, ...rest }: Kept = {}): void {
  const query = queryFor(name, rest);
  const { alias } = rest;
  const led = alias === undefined ? [] : [{ type: "CNAME", name, ttl, data: alias } as const];
  const yes = { answers: [...led, { type: "A", name: alias ?? name, ttl, data: "192.0.2.7" }] } as const;
  const fields =
    rest.missing === true ? { flags: 0x83, answers: [], authorities: [SOA] } : { answers: [...yes.answers] };
  const message = decodeMessage(Uint8Array.from(respond(Buffer.from(query), fields)));
  const found = message.ok ? digest(message.value, false, LIMITS, () => true) : undefined;
  if (found?.kind !== "answer") throw new Error("no answer");
  const image = packImage({ ...found.parts, spliced: rest.spliced === true }, tag);
  cache.store(image, view(query), tag, tickOf(clock.now()), found.ttl);
}

/** Seconds that the cache gives the name yet; negative when stale, undefined when it is not there. */
export function left(cache: Cache, clock: FakeClock, name: string, tag = 0): number | undefined {
  const tick = tickOf(clock.now());
  const at = cache.find(view(queryFor(name)), tag, tick);
  return at < 0 ? undefined : ((cache.slab.words[(at >>> 2) + WORD.expires] ?? 0) - tick) / 10;
}

export interface Restart {
  readonly cache: Cache;
  readonly clock: FakeClock;
  readonly result: Restored | SavedFault;
}

/** A process that starts `away` after the file was written, with a monotonic clock of its own that begins anew. */
export async function restarted(
  bytes: Buffer,
  before: FakeClock,
  away: Duration,
  { routes = [ROOT, CORP], routeOf = () => 0 }: { routes?: SavedRoute[]; routeOf?: (query: Query) => number } = {},
): Promise<Restart> {
  const clock = new FakeClock(before.wallMicros() + away * 1_000);
  const cache = cacheOf();
  const result = await restoreCache(bytes, { cache, clock, routes, routeOf, limits: LIMITS, onAliased: () => {} });
  return { cache, clock, result };
}
