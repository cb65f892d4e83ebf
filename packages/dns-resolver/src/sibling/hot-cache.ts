import { elapsed, seconds, type Clock, type Duration } from "@stitch/clock";
import { tickOf, type Cache } from "../cache.ts";
import { CHECKSUM_BYTES, fingerprint, FINGERPRINT_BYTES } from "../saved/layout.ts";
import { aliasedIn, restoreRecent, type SavedFault } from "../saved/restore.ts";
import { SavedWriter, type SavedRoute } from "../saved/save.ts";
import type { SavedFor } from "../saved/file.ts";
import { sliced, type Steps } from "../sliced.ts";
import type { Names } from "../upstream/flight.ts";
import { parted } from "./parts.ts";

/** A sibling does not wait any longer; what has been found by then is what it gets. */
const WALK_LIMIT: Duration = seconds(0.5);
const WRITE_LIMIT: Duration = seconds(1);
/** Of a part, for naming the routes that its answers are of; those that would need more are left out. */
const ROUTES_SHARE = 1 / 4;

/** What came of what a sibling gave. */
export interface Taken {
  readonly taken: number;
  /** Known already, of routes that are not here, out of time, or not to be read. */
  readonly dropped: number;
  /** Why a part was not used at all. */
  readonly fault?: SavedFault | "not-parts";
}

/** What may be given at most. */
export interface HotBounds {
  readonly bytes: number;
  readonly answers: number;
}

/** One worker's part in what siblings give to each other: answers that clients come back for, fresh ones only. */
export class HotCache {
  readonly #cache: Cache;
  readonly #clock: Clock;

  constructor(cache: Cache, clock: Clock) {
    this.#cache = cache;
    this.#clock = clock;
  }

  /** Writes them while queries are served. */
  give(serving: Pick<SavedFor, "routes">, bounds: HotBounds): Promise<Uint8Array<ArrayBuffer>> {
    const most = Math.floor((bounds.bytes * ROUTES_SHARE) / FINGERPRINT_BYTES);
    return sliced(this.#giving(zonesOf(serving).slice(0, most), bounds), this.#clock);
  }

  *#giving(routes: readonly SavedRoute[], { bytes, answers }: HotBounds): Steps<Uint8Array<ArrayBuffer>> {
    const began = this.#clock.now();
    const tick = tickOf(began);
    const within = (limit: Duration): boolean => elapsed(began, this.#clock.now()) < limit;
    const hottest = this.#cache.hottest(answers);
    for (const _ of hottest.walk()) {
      if (!within(WALK_LIMIT)) break;
      yield;
    }
    const writer = new SavedWriter(routes, this.#clock.wallMicros(), bytes - CHECKSUM_BYTES);
    for (const at of hottest.places()) {
      if (this.#cache.isFresh(at, tick) && !writer.add(this.#cache, at, tick)) break;
      if (writer.answers >= answers || !within(WRITE_LIMIT)) break;
      yield;
    }
    return yield* writer.sealing();
  }

  /** Adds what is not there of what a sibling was asked for `age` ago. */
  async take(
    bytes: Buffer,
    age: Duration,
    { routes, limits }: SavedFor,
    names: Pick<Names, "placeOf">,
  ): Promise<Taken> {
    const parts = parted(bytes);
    if (parts === undefined) return { taken: 0, dropped: 0, fault: "not-parts" };
    const began = this.#clock.now();
    let [taken, dropped, fault]: [number, number, SavedFault | undefined] = [0, 0, undefined];
    for (const part of parts) {
      const found = await restoreRecent(part, (age + elapsed(began, this.#clock.now())) as Duration, {
        cache: this.#cache,
        clock: this.#clock,
        routes: zonesOf({ routes }),
        routeOf: (query) => names.placeOf(query),
        limits,
        onAliased: aliasedIn(routes),
        fills: true,
        began,
      });
      if (typeof found === "string") fault = found;
      else [taken, dropped] = [taken + found.taken, dropped + found.dropped];
    }
    return fault === undefined ? { taken, dropped } : { taken, dropped, fault };
  }
}

/** Sites ask other upstreams for the same zone, so it is the zone that makes two routes the same here. */
function zonesOf({ routes }: Pick<SavedFor, "routes">): SavedRoute[] {
  return [...routes].map(([number, { name }]) => ({
    number,
    fingerprint: fingerprint(`zone ${Buffer.from(name).toString("hex")}`),
  }));
}
