import type { Peer } from "@stitch/peers";

import { startFrrDaemons } from "./frr-daemons.ts";
import { familyOf, type RibEntry, type Router, type RouterSettings, words } from "./router.ts";
import { ROUTER, type Wire } from "./wire.ts";

export async function startFrr(found: Peer, wire: Wire, settings: RouterSettings): Promise<Router> {
  const { router, speaker } = settings;
  const options = [
    ...(settings.password === undefined ? [] : [` neighbor ${speaker.address} password ${settings.password}`]),
    ...(settings.ttlSecurity === true ? [` neighbor ${speaker.address} ttl-security hops 1`] : []),
  ];
  const { maxPrefixes } = settings;
  const limit = maxPrefixes === undefined ? "" : `  neighbor ${speaker.address} maximum-prefix ${maxPrefixes}`;
  const config = `hostname router
log stdout informational
router bgp ${router.asn}
 bgp log-neighbor-changes
 bgp router-id ${ROUTER.routerId}
 ${settings.requiresPolicy === true ? "" : "no "}bgp ebgp-requires-policy
 neighbor ${speaker.address} remote-as ${speaker.asn}
 neighbor ${speaker.address} passive
 neighbor ${speaker.address} timers connect 1
${options.join("\n")}
 address-family ipv4 unicast
${limit}
 exit-address-family
 address-family ipv6 unicast
  neighbor ${speaker.address} activate
 exit-address-family
`;
  const { vtysh, log } = await startFrrDaemons(found, wire, { bgpd: config });
  return {
    route: async (prefix) => {
      const shown = JSON.parse(await vtysh(`show bgp ${familyOf(prefix)} unicast ${prefix} json`)) as FrrRoute;
      return frrEntry(shown.paths?.find((path) => path.peer?.peerId === speaker.address));
    },
    account: async () => `${log()}${await vtysh(`show bgp neighbors ${speaker.address}`)}`,
    refresh: async () => void (await vtysh(`clear bgp ipv4 unicast ${speaker.address} soft in`)),
    originate: async (prefix) => {
      await vtysh("configure terminal", `router bgp ${router.asn}`, "no bgp network import-check", `network ${prefix}`);
    },
    refuseHoldTimesBelow: async (floor) => {
      await vtysh("configure terminal", `router bgp ${router.asn}`, `bgp minimum-holdtime ${floor}`);
    },
  };
}

interface FrrRoute {
  readonly paths?: readonly {
    readonly peer?: { readonly peerId?: string };
    readonly aspath?: { readonly segments?: readonly { readonly list: readonly number[] }[] };
    readonly metric?: number;
    readonly locPrf?: number;
    readonly nexthops?: readonly { readonly ip: string }[];
    readonly community?: { readonly string: string };
    readonly largeCommunity?: { readonly string: string };
  }[];
}

function frrEntry(path: NonNullable<FrrRoute["paths"]>[number] | undefined): RibEntry | undefined {
  if (path === undefined) return undefined;
  return {
    nextHop: path.nexthops?.[0]?.ip ?? "",
    asPath: path.aspath?.segments?.flatMap((segment) => segment.list) ?? [],
    med: path.metric,
    ...(path.locPrf === undefined ? {} : { localPref: path.locPrf }),
    communities: words(path.community?.string).map((word) =>
      word === "gracefulShutdown" || word === "graceful-shutdown" ? "65535:0" : word,
    ),
    largeCommunities: words(path.largeCommunity?.string),
  };
}
