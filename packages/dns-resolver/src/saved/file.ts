import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "@stitch/clock";
import type { Logger } from "@stitch/health";
import type { Cache } from "../cache.ts";
import type { Names } from "../upstream/flight.ts";
import type { TtlLimits } from "../upstream/digest.ts";
import type { Route } from "../upstream/upstream.ts";
import { fingerprint } from "./layout.ts";
import { aliasedIn, restoreCache } from "./restore.ts";
import { MOST_SAVED_BYTES, saveCache, type SavedRoute } from "./save.ts";

/** What answers depend on, beside the upstreams: another configuration, another cache. */
export interface SavedFor {
  readonly routes: ReadonlyMap<number, Route>;
  readonly limits: TtlLimits;
}

/** The file in which one worker keeps its cache from a stop to the next start. */
export class SavedCache {
  readonly #path: string | undefined;
  readonly #worker: number;
  readonly #cache: Cache;
  readonly #clock: Clock;
  readonly #log: Logger;

  /** Without a `path` nothing is kept. Workers share nothing and stop at the same time: each has a file of its own. */
  constructor(path: string | undefined, worker: number, cache: Cache, clock: Clock, log: Logger) {
    this.#path = path;
    this.#worker = worker;
    this.#cache = cache;
    this.#clock = clock;
    this.#log = log;
  }

  /** A stop goes on without it when the file cannot be written, which is logged. */
  save(now: SavedFor): void {
    if (this.#path === undefined) return;
    const file = fileOf(this.#path, this.#worker);
    const unfinished = `${file}.new`;
    try {
      mkdirSync(dirname(file), { recursive: true });
      // The names that a site asks for are nobody else's to read.
      writeFileSync(unfinished, saveCache(this.#cache, routesOf(now), this.#clock), { mode: 0o600 });
      renameSync(unfinished, file);
    } catch (failure) {
      this.#log.warn({ err: failure }, `${file}: the cache was not saved`);
    }
  }

  /**
   * Returns how many answers there are now: those of this worker's file, or of the first one's where there are more
   * workers than there were. A file is used once: one that brings a start down must not do so again and again.
   */
  async restore({ routes, limits }: SavedFor, names: Pick<Names, "placeOf">): Promise<number> {
    if (this.#path === undefined) return 0;
    const own = fileOf(this.#path, this.#worker);
    const file = existsSync(own) ? own : fileOf(this.#path, 0);
    const bytes = this.#take(file, file === own);
    if (bytes === undefined) return 0;
    const found = await restoreCache(bytes, {
      cache: this.#cache,
      clock: this.#clock,
      routes: routesOf({ routes, limits }),
      routeOf: (query) => names.placeOf(query),
      limits,
      onAliased: aliasedIn(routes),
    });
    if (typeof found === "string") {
      this.#log.warn(`${file}: the saved cache is not used: ${found}`);
      return 0;
    }
    const { taken, dropped } = found;
    this.#log.info({ taken, dropped }, `${file}: cache restored`);
    return taken;
  }

  #take(file: string, isOwn: boolean): Buffer | undefined {
    try {
      const { size } = statSync(file);
      const bytes = size <= MOST_SAVED_BYTES ? readFileSync(file) : undefined;
      if (bytes === undefined) this.#log.warn(`${file}: the saved cache is not used: it has ${size} bytes`);
      if (isOwn) rmSync(file);
      return bytes;
    } catch (failure) {
      const missing = (failure as NodeJS.ErrnoException).code === "ENOENT";
      if (!missing) this.#log.warn({ err: failure }, `${file}: the saved cache is not used`);
      return undefined;
    }
  }
}

function fileOf(path: string, worker: number): string {
  return `${path}.${worker + 1}`;
}

function routesOf({ routes, limits }: SavedFor): SavedRoute[] {
  return [...routes].map(([number, { name, upstreams }]) => {
    const asked = upstreams.map(({ target, source, trust }) => [target.address, target.port, source, trust]);
    return { number, fingerprint: fingerprint(JSON.stringify([...name, asked, limits.maxTtl, limits.negativeTtl])) };
  });
}
