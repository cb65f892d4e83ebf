import type { Health } from "@stitch/health";
import { allDown, type Route } from "./upstream/upstream.ts";

/**
 * Raises `upstreams-unreachable`, a dependency: cached and local names are still answered, and an upstream that all sites
 * share must not make every site withdraw at once. Says which routes have no upstream that answers; called whenever one went down or
 * came back.
 */
export function reportUpstreams(health: Health, routes: Iterable<Route>): void {
  const dead = [...routes].filter(allDown).map(({ zone }) => zone);
  if (dead.length === 0) health.clear("upstreams-unreachable");
  else health.raise("upstreams-unreachable", "dependency", `no upstream answers for ${dead.join(", ")}`);
}
