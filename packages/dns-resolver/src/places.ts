import type { Clock } from "@stitch/clock";
import type { LocalChange } from "./local/local-history.ts";
import type { LocalData } from "./local/load-local.ts";
import { privateReverseZones } from "./local/private-reverse.ts";
import type { Place } from "./resolver-options.ts";
import { RouteBook, type CaTexts, type RouteSettings } from "./route-book.ts";
import type { Suffix } from "./routes.ts";
import type { Route } from "./upstream/upstream.ts";

/** Everything that answers for names, and the names that lead there. */
export interface Places {
  readonly places: readonly Place[];
  readonly suffixes: readonly Suffix[];
  /** By number; see RouteBook. */
  readonly routes: ReadonlyMap<number, Route>;
}

/** Numbers local zones, hosts and routes. Of a zone and a route for the same name the local data wins. */
export function arrange(
  settings: { readonly routes: readonly RouteSettings[] },
  local: LocalData,
  clock: Clock,
  book: RouteBook = new RouteBook(clock),
  change: LocalChange = "none",
  cas?: CaTexts,
): Places {
  const places: Place[] = [];
  const suffixes: Suffix[] = [];
  const add = (name: Uint8Array, place: Place, exact: boolean): void => {
    suffixes.push({ name, place: places.length, exact });
    places.push(place);
  };
  const numbered = book.take(settings.routes, change, cas);
  for (const zone of privateReverseZones(numbered)) add(zone.apex, { kind: "zone", zone }, false);
  // Of two equal suffixes the later one wins (RouteTable), so what is built in comes first, then routes.
  for (const { number, route } of numbered) add(route.name, { kind: "route", route: number }, false);
  for (const zone of local.zones) add(zone.apex, { kind: "zone", zone }, false);
  for (const zone of local.hosts) add(zone.apex, { kind: "zone", zone }, true);
  return { places, suffixes, routes: new Map(numbered.map(({ number, route }) => [number, route])) };
}
