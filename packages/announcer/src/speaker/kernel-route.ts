import { formatPrefix, type Advertisement, type Prefix } from "@stitch/bgp-speaker";
import { isLeaving } from "../route/advertisement.ts";

/**
 * A route of ours in the kernel's main table. Which one is there never matters to this machine's own traffic: the local
 * table, where the address is, comes first. It matters to the routing daemon, and each daemon sees something of it:
 * FRR's ospfd the interface (a blackhole has none), its bgpd the metric (it becomes the MED), BIRD both.
 *
 *     normal        10.10.10.53/32 dev lo proto 199 metric 20
 *     last resort   blackhole 10.10.10.53/32 proto 199 metric 16777214
 */
export interface KernelRoute {
  readonly prefix: Prefix;
  /** `unicast`, `blackhole`, or another word of ip-route(8) where somebody used our protocol number. */
  readonly type: string;
  readonly metric: number;
}

/**
 * FRR reads the upper 8 bits of a kernel metric as administrative distance, and a distance makes it prefer other
 * routes: two degraded sites would then withdraw in favour of each other. 24 bits are left; 16777215 is OSPF's infinity.
 */
const NORMAL = { type: "unicast", metric: 20 } as const;
const LAST_RESORT = { type: "blackhole", metric: 16_777_214 } as const;

export interface Difference {
  readonly add: readonly KernelRoute[];
  readonly remove: readonly KernelRoute[];
}

export function kernelRouteFor(advertisement: Advertisement): KernelRoute {
  const { prefix, communities = [] } = advertisement;
  return { prefix, ...(isLeaving({ communities, asPath: [], largeCommunities: [] }) ? LAST_RESORT : NORMAL) };
}

/** One text for one route: two are the same when their keys are. */
function keyOf({ prefix, type, metric }: KernelRoute): string {
  return `${formatPrefix(prefix)} ${type} ${metric}`;
}

export function difference(wished: readonly KernelRoute[], found: readonly KernelRoute[]): Difference {
  const [there, wanted] = [new Set(found.map(keyOf)), new Set(wished.map(keyOf))];
  return {
    add: wished.filter((route) => !there.has(keyOf(route))),
    remove: found.filter((route) => !wanted.has(keyOf(route))),
  };
}

export function isEmpty({ add, remove }: Difference): boolean {
  return add.length + remove.length === 0;
}

/** Lines for `ip -batch`. Additions first: from normal to last resort, and back, there is always one of the two. */
export function linesFor({ add, remove }: Difference, protocol: number): string[] {
  return [
    ...add.map((route) => `route replace ${wordsOf(route, route.type === "unicast" ? " dev lo" : "", protocol)}`),
    ...remove.map((route) => `route del ${wordsOf(route, "", protocol)}`),
  ];
}

function wordsOf({ prefix, type, metric }: KernelRoute, device: string, protocol: number): string {
  return `${type} ${formatPrefix(prefix)}${device} proto ${protocol} metric ${metric}`;
}
