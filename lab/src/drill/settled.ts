import { type Clock, type Duration, seconds } from "@stitch/clock";
import type { Lab } from "../lab.ts";
import { until } from "../poll.ts";
import { CALM } from "./plan.ts";

/** Hold-down, back-off and BGP's own timers together stay below this. */
const SETTLING: Duration = seconds(75);

/** A route as the kernel shows it: one device, or several ways. */
interface KernelRoute {
  readonly dst?: string;
  readonly dev?: string;
  readonly nexthops?: readonly { readonly dev?: string }[];
}

/** Waits until every router forwards every address to its near host: the state in which a drill begins and ends. */
export async function settled(lab: Lab, clock: Clock): Promise<void> {
  await until(
    clock,
    "every address to be routed to its near site",
    SETTLING,
    async () => ((await astray(lab)).length === 0 ? true : undefined),
    () => diagnosis(lab),
  );
}

async function diagnosis(lab: Lab): Promise<string> {
  const logs = await Promise.all(lab.hosts.map(async (host) => `--- ${host} printed:\n${await lab.log(host)}`));
  return `still astray: ${(await astray(lab)).join("; ")}\n${logs.join("\n")}`;
}

async function astray(lab: Lab): Promise<readonly string[]> {
  const calm = CALM[lab.variant];
  const nodes = [...new Set(calm.map(({ node }) => node))];
  const found = new Map(await Promise.all(nodes.map(async (node) => [node, await forwarding(lab, node)] as const)));
  return calm.flatMap(({ node, address, devices }) => {
    const used = found.get(node)?.get(address) ?? [];
    const same = used.join() === devices.toSorted().join();
    return same ? [] : [`${node} sends ${address} to ${used.join(" and ") || "nowhere"}, not ${devices.join(" and ")}`];
  });
}

/** The devices by which a node's kernel forwards to `address`, sorted; none without a route. */
export async function devicesTo(lab: Lab, node: string, address: string): Promise<readonly string[]> {
  return (await forwarding(lab, node)).get(address) ?? [];
}

/** Destination -> devices of a node's main tables. Host routes are shown without their length. */
async function forwarding(lab: Lab, node: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const tables = await Promise.all(
    ["-4", "-6"].map(async (family) => (await lab.exec(node, ["ip", family, "-json", "route", "show"])).stdout),
  );
  const routes = tables.flatMap((text) => JSON.parse(text || "[]") as readonly KernelRoute[]);
  const devices = new Map<string, string[]>();
  for (const { dst = "", dev, nexthops = [] } of routes) {
    const ways = [dev, ...nexthops.map((hop) => hop.dev)].filter((way) => way !== undefined);
    // Of several routes to one destination the first has the best metric; the others wait.
    if (!devices.has(dst)) devices.set(dst, ways.toSorted());
  }
  return devices;
}
