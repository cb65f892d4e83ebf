import { type Clock, type Duration, seconds } from "@stitch/clock";
import type { Lab } from "../lab.ts";
import { until } from "../poll.ts";
import { CORE, CORE_TO_NYC, SITES, TOR_TO_HOST, VIPS } from "./plan.ts";

/** Hold-down, back-off and BGP's own timers together stay below this. */
const SETTLING: Duration = seconds(75);

interface KernelRoute {
  readonly dev?: string;
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
  const wanted = [
    ...SITES.map(({ router }) => ({ node: router, device: TOR_TO_HOST })),
    { node: CORE, device: CORE_TO_NYC },
  ];
  const checks = wanted.flatMap(({ node, device }) =>
    Object.values(VIPS).map(async (address) => {
      const used = await deviceTo(lab, node, address);
      return used === device ? [] : [`${node} sends ${address} to ${used ?? "nowhere"}, not ${device}`];
    }),
  );
  return (await Promise.all(checks)).flat();
}

/** The interface by which a router's kernel forwards to `address`, or undefined without a route. */
export async function deviceTo(lab: Lab, node: string, address: string): Promise<string | undefined> {
  const { stdout } = await lab.exec(node, ["ip", "-json", "route", "show", `${address}/32`], { mayFail: true });
  const routes = JSON.parse(stdout || "[]") as readonly KernelRoute[];
  return routes[0]?.dev;
}
