import type { Variant } from "../variant.ts";

/** The lab's addresses and names, as the topologies and the nodes' files have them. */
export const VIPS = { dns: "10.10.10.53", syslog: "10.10.5.14", ntp: "10.10.10.123" } as const;
/** The same services by IPv6, in `anycast` and `three`. */
export const TWINS = { dns: "fd00:10:10::53", syslog: "fd00:10:5::14", ntp: "fd00:10:10::123" } as const;
/** Names a host's site.yaml to stitch's commands. */
export const SITE_FILE: readonly string[] = ["-c", "/etc/stitch/site.yaml"];
export const WHOAMI = "whoami.stitch.test";

export interface SitePlan {
  readonly site: string;
  readonly host: string;
  readonly router: string;
  readonly hostAddress: string;
}
export const NYC: SitePlan = { site: "nyc", host: "host-nyc", router: "tor-nyc", hostAddress: "10.3.1.10" };
export const LON: SitePlan = { site: "lon", host: "host-lon", router: "tor-lon", hostAddress: "10.3.2.10" };
const TOK: SitePlan = { site: "tok", host: "host-tok", router: "tor-tok", hostAddress: "10.3.3.10" };

const TWO: readonly SitePlan[] = [NYC, LON];
/** The sites of a topology, from the one nearest to the branch on. */
export const SITES: Readonly<Record<Variant, readonly SitePlan[]>> = {
  anycast: TWO,
  ospf: TWO,
  ecmp: [],
  three: [...TWO, TOK],
};

/** The core's way to each site. */
export const CORE = "core";
const CORE_TO_NYC = "to-nyc";
export const TOR_TO_HOST = "to-host";

/** Client -> the site it should reach while all is well. */
export const NEAREST: Readonly<Record<Variant, Readonly<Record<string, SitePlan>>>> = {
  anycast: { "client-nyc": NYC, "client-lon": LON, branch: NYC },
  ospf: { "client-nyc": NYC, "client-lon": LON, branch: NYC },
  ecmp: {},
  three: { "client-nyc": NYC, "client-lon": LON, "client-tok": TOK, branch: NYC },
};

/** Of a table: how many answers each site of the topology gave. */
export function siteColumns(variant: Variant, answers: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(SITES[variant].map(({ site }) => [site, answers[site] ?? 0]));
}

/** What the sites of `anycast` and `three` forward to, for this zone. */
export const UPSTREAM = { node: "upstream", address: "10.1.9.53", zone: "upstream.test" } as const;

/** An HTTP service that a drill starts at both sites of `anycast`; clients follow its load. */
export const GPU = { vip: "10.10.20.1", port: 9000, service: "gpu" } as const;

/** The two nodes of `ecmp`, by the instance they answer as. */
export const NODES = { one: "node-one", two: "node-two" } as const;

/** Where a router's kernel forwards an address while all is well; more than one device is ECMP. */
export interface CalmRoute {
  readonly node: string;
  readonly address: string;
  readonly devices: readonly string[];
}

/** Every site's router sends to its own host, the core to the nearest site. */
function everywhere(sites: readonly SitePlan[], addresses: readonly string[]): CalmRoute[] {
  const ways = [...sites.map(({ router }) => [router, TOR_TO_HOST] as const), [CORE, CORE_TO_NYC] as const];
  return ways.flatMap(([node, device]) => addresses.map((address) => ({ node, address, devices: [device] })));
}

/** The state in which a drill begins and ends. */
export const CALM: Readonly<Record<Variant, readonly CalmRoute[]>> = {
  anycast: everywhere(SITES.anycast, [...Object.values(VIPS), ...Object.values(TWINS)]),
  ospf: everywhere(SITES.ospf, Object.values(VIPS)),
  ecmp: [{ node: "tor", address: VIPS.dns, devices: ["to-one", "to-two"] }],
  three: everywhere(SITES.three, [...Object.values(VIPS), ...Object.values(TWINS)]),
};

/**
 * Queries that a planned move may cost. BGP's routers turn one after the other, from the far end. In a link-state network a router may turn before the one that sends to it
 * has: for that millisecond the two send a packet to and fro until its time to live is over. No announcer can prevent that.
 */
export const PLANNED_LOSS: Readonly<Record<Variant, number>> = { anycast: 0, ospf: 20, ecmp: 0, three: 0 };
