import type { Clock } from "@stitch/clock";
import type { DnsSettings } from "./config.ts";
import type { LocalChange } from "./local/local-history.ts";
import { Upstream, type Route } from "./upstream/upstream.ts";
import { lowerName, parseName } from "./wire/name.ts";

/** A route of the file; `tls` and `critical` may be left out. */
export type RouteSettings = Omit<DnsSettings["routes"][number], "tls" | "critical"> &
  Partial<Pick<DnsSettings["routes"][number], "tls" | "critical">>;
/** Texts of the files that `routes[].tls.ca` name, by what stands there. */
export type CaTexts = ReadonlyMap<string, string>;
const NO_CAS: CaTexts = new Map();

/** A route under the number that stands in the tags of its cached answers. */
export interface NumberedRoute {
  readonly number: number;
  readonly route: Route;
}

/**
 * Gives routes their numbers. A route that a new file leaves as it was keeps its number, and with it its answers in the
 * cache, and what is known of its upstreams. One that differs in anything gets a number that none has had before: what the
 * other upstreams said is found no more, an answer of theirs that is still on its way included, and goes with time.
 */
export class RouteBook {
  readonly #clock: Clock;
  #known = new Map<string, NumberedRoute>();
  #next = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * In the order of the file. What is in the book and not in the file is forgotten. When local data or any route has changed, a
   * route whose answers hold what stood elsewhere gets another number too; and one whose answers hold an alias does when a
   * zone comes or goes, or local data has got a name: the alias may lead to what was the outside's to say and is no more.
   * `critical` says nothing about answers: it is changed in place, so that somebody who finds out at three in the morning
   * that a route is not that important does not lose what is still known of it.
   */
  take(routes: readonly RouteSettings[], local: LocalChange = "none", cas: CaTexts = NO_CAS): NumberedRoute[] {
    const keys = routes.map((settings) => JSON.stringify([asked(settings), caOf(settings, cas)]));
    const changed = local !== "none" || keys.length !== this.#known.size || keys.some((key) => !this.#known.has(key));
    const namesChanged = local === "names" || !sameZones([...this.#known.values()], routes);
    const entries = routes.map((settings, i): [string, NumberedRoute] => {
      const key = keys[i] ?? "";
      const known = this.#known.get(key);
      if (known === undefined) return [key, this.#opened(settings, caOf(settings, cas))];
      const { crossed = false, aliased = false } = known.route;
      return [key, (changed && crossed) || (namesChanged && aliased) ? this.#renumbered(known.route) : known];
    });
    this.#known = new Map(entries);
    entries.forEach(([, { route }], i) => (route.minor = routes[i]?.critical === false));
    return entries.map(([, numbered]) => numbered);
  }

  /** The same upstreams, with what is known of them; what is on its way to them counts with the old one. */
  #renumbered(route: Route): NumberedRoute {
    return this.#numbered({ ...route, inFlight: 0, waiting: 0, crossed: false, aliased: false });
  }

  #numbered(route: Route): NumberedRoute {
    const number = this.#next;
    this.#next += 1;
    return { number, route };
  }

  #opened({ zone, upstreams, source, tls }: RouteSettings, ca: string | undefined): NumberedRoute {
    const name = lowerName(parseName(zone) ?? Uint8Array.of(0));
    const servers = upstreams.map((target) => {
      const trust = target.tls === undefined ? undefined : { name: target.tls.name, pins: tls?.pins ?? [], ca };
      return new Upstream(target, source, this.#clock, trust);
    });
    return this.#numbered({ zone, name, upstreams: servers, inFlight: 0, waiting: 0 });
  }
}

/** What decides whom it asks, and how. */
export function asked(route: RouteSettings): RouteSettings {
  return { ...route, critical: true };
}

function caOf({ tls }: RouteSettings, cas: CaTexts): string | undefined {
  return tls?.ca === undefined ? undefined : cas.get(tls.ca);
}

function sameZones(before: readonly NumberedRoute[], after: readonly RouteSettings[]): boolean {
  const zones = new Set(before.map(({ route }) => route.zone));
  return zones.size === after.length && after.every(({ zone }) => zones.has(zone));
}
