import type { Clock } from "@stitch/clock";
import type { DnsSettings } from "./config.ts";
import type { LocalData } from "./local/load-local.ts";
import type { Place } from "./resolver.ts";
import type { Suffix } from "./routes.ts";
import { Upstream, type Route } from "./upstream/upstream.ts";
import { lowerName, parseName } from "./wire/name.ts";

/** Everything that answers for names, numbered, and the names that lead there. */
export interface Places {
  readonly places: readonly Place[];
  readonly suffixes: readonly Suffix[];
  readonly routes: ReadonlyMap<number, Route>;
}

/** Numbers local zones, hosts and routes. Of a zone and a route for the same name the local data wins. */
export function arrange(settings: Pick<DnsSettings, "routes">, local: LocalData, clock: Clock): Places {
  const places: Place[] = [];
  const suffixes: Suffix[] = [];
  const routes = new Map<number, Route>();
  const add = (name: Uint8Array, place: Place, exact: boolean): void => {
    suffixes.push({ name, place: places.length, exact });
    places.push(place);
  };
  // Of two equal suffixes the later one wins (RouteTable), so routes come first.
  for (const [i, { zone, upstreams, source }] of settings.routes.entries()) {
    const name = lowerName(parseName(zone) ?? Uint8Array.of(0));
    const servers = upstreams.map((target) => new Upstream(target, source, clock));
    routes.set(places.length, { zone, name, upstreams: servers, inFlight: 0, waiting: 0 });
    add(name, { kind: "route", route: i }, false);
  }
  for (const zone of local.zones) add(zone.apex, { kind: "zone", zone }, false);
  for (const zone of local.hosts) add(zone.apex, { kind: "zone", zone }, true);
  return { places, suffixes, routes };
}
