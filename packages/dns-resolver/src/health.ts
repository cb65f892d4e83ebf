import type { Health } from "@stitch/health";
import { allDown, allLooping, type Route } from "./upstream/upstream.ts";

/** Zones of the routes that have no upstream that answers, and which of them run in a circle. */
export interface DeadZones {
  readonly critical: readonly string[];
  readonly minor: readonly string[];
}

export function deadZones(routes: Iterable<Route>): DeadZones {
  const dead = [...routes].filter(allDown);
  const zones = (minor: boolean): string[] =>
    dead
      .filter((route) => (route.minor ?? false) === minor)
      .map((route) => route.zone + (allLooping(route) ? " (a forwarding loop)" : ""));
  return { critical: zones(false), minor: zones(true) };
}

/**
 * Raises `upstreams-unreachable`, a dependency: cached and local names are still answered, and an upstream that all sites
 * share must not make every site withdraw at once. Of routes that are not critical `minor-upstreams-unreachable` tells
 * without moving anybody. Every worker finds out by itself; what one of them cannot reach counts, for the clients that the
 * kernel gives to it.
 */
export class UpstreamHealth {
  readonly #health: Health;
  readonly #dead = new Map<number, DeadZones>();

  constructor(health: Health) {
    this.#health = health;
  }

  /** Called whenever an upstream of `worker` went down or came back. */
  report(zones: DeadZones, worker: number): void {
    this.#dead.set(worker, zones);
    const critical = this.#told((each) => each.critical);
    if (critical === undefined) this.#health.clear("upstreams-unreachable");
    else this.#health.raise("upstreams-unreachable", "dependency", critical);
    const minor = this.#told((each) => each.minor);
    if (minor === undefined) this.#health.clear("minor-upstreams-unreachable");
    else this.#health.raise("minor-upstreams-unreachable", "load", minor);
  }

  #told(zonesOf: (dead: DeadZones) => readonly string[]): string | undefined {
    const zones = [...new Set([...this.#dead.values()].flatMap(zonesOf))].toSorted();
    return zones.length === 0 ? undefined : `no upstream answers for ${zones.join(", ")}`;
  }
}
