import type { Slab } from "./cache/image.ts";
import { localAnswer, type Elsewhere } from "./local/local-answer.ts";
import type { LocalZone } from "./local/local-zone.ts";
import type { Place } from "./resolver-options.ts";
import type { RouteTable } from "./routes.ts";
import { NOBODY, type Names } from "./upstream/flight.ts";
import { lowerName } from "./wire/name.ts";
import { adoptName, Query } from "./wire/query.ts";
import { CLASS, TYPE } from "./wire/registry.ts";

/** Who answers for which names. */
export class Claims implements Names, Elsewhere {
  readonly #places: readonly Place[];
  readonly #table: RouteTable;
  readonly #alias = new Query();

  /** `table` leads to indexes of `places`. */
  constructor(places: readonly Place[], table: RouteTable) {
    this.#places = places;
    this.#table = table;
  }

  /** Index of the place for the query's name, or -1. */
  indexOf(query: Query): number {
    return this.#table.find(query);
  }

  at(index: number): Place | undefined {
    return this.#places[index];
  }

  placeOf(query: Query): number {
    const index = this.#table.find(query);
    const place = this.#places[index];
    if (place === undefined) return NOBODY;
    return place.kind === "route" ? place.route : NOBODY - 1 - index;
  }

  localImage(query: Query, place: number): Slab | undefined {
    const found = this.#places[NOBODY - 1 - place];
    return found?.kind === "zone" ? this.answer(query, found.zone, 0) : undefined;
  }

  /** What local data says, aliases into other local zones followed. */
  answer(query: Query, zone: LocalZone, tag: number): Slab {
    return localAnswer(query, zone, this, tag);
  }

  isRouted(name: Uint8Array): boolean {
    adoptName(this.#alias, lowerName(name), TYPE.A, CLASS.IN);
    return this.placeOf(this.#alias) > NOBODY;
  }

  zoneOf(name: Uint8Array): LocalZone | undefined {
    adoptName(this.#alias, lowerName(name), TYPE.A, CLASS.IN);
    const place = this.#places[this.#table.find(this.#alias)];
    return place?.kind === "zone" ? place.zone : undefined;
  }
}
