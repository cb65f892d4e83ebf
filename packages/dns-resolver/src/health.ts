import type { Health } from "@stitch/health";
import { allDown, allLooping, type Route } from "./upstream/upstream.ts";

/** Zones of the routes that have no upstream that answers, and which of them run in a circle. */
export function deadZones(routes: Iterable<Route>): string[] {
  return [...routes].filter(allDown).map((route) => route.zone + (allLooping(route) ? " (a forwarding loop)" : ""));
}

/**
 * Raises `upstreams-unreachable`, a dependency: cached and local names are still answered, and an upstream that all sites
 * share must not make every site withdraw at once. Every worker finds out by itself; what one of them cannot reach counts,
 * for the clients that the kernel gives to it.
 */
export class UpstreamHealth {
  readonly #health: Health;
  readonly #dead = new Map<number, readonly string[]>();

  constructor(health: Health) {
    this.#health = health;
  }

  /** Called whenever an upstream of `worker` went down or came back. */
  report(zones: readonly string[], worker: number): void {
    this.#dead.set(worker, zones);
    const all = [...new Set([...this.#dead.values()].flat())].toSorted();
    if (all.length === 0) this.#health.clear("upstreams-unreachable");
    else this.#health.raise("upstreams-unreachable", "dependency", `no upstream answers for ${all.join(", ")}`);
  }
}
