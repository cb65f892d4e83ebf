import { access, rm, writeFile } from "node:fs/promises";

import { inPrivateEtc, type Peer } from "@stitch/peers";
import { execa } from "execa";

import { familyOf, type RibEntry, type Router, type RouterSettings, words } from "./router.ts";
import { eventually, ROUTER, transcript, type Wire } from "./wire.ts";

export async function startFrr(found: Peer, wire: Wire, settings: RouterSettings): Promise<Router> {
  const { router, speaker } = settings;
  const { directory } = wire;
  const sockets = ["--vty_socket", directory, "-z", wire.file("zserv.api"), "-P", "0", "--log", "stdout"];
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
  await writeFile(wire.file("bgpd.conf"), config);
  await writeFile(wire.file("zebra.conf"), "hostname router\n");
  await writeFile(wire.file("vtysh.conf"), "");
  const start = (daemon: string): (() => string) => {
    const own = ["-f", wire.file(`${daemon}.conf`), "-i", wire.file(`${daemon}.pid`)];
    const argv = inPrivateEtc([found.program(daemon), ...own, ...sockets], { peers: [found] });
    return transcript(wire.start(wire.router, argv, found.env));
  };
  // bgpd that finds no zebra tries again ten seconds later, and until then believes no next hop.
  await rm(wire.file("zserv.api"), { force: true });
  const zebra = start("zebra");
  await eventually("zebra listens", 20_000, () =>
    access(wire.file("zserv.api")).then(
      () => true,
      () => undefined,
    ),
  );
  const outputs = [zebra, start("bgpd")];
  const vtysh = async (...commands: string[]): Promise<string> => {
    const argv = [found.program("vtysh"), "--vty_socket", directory, "--config_dir", directory];
    const [file = "", ...args] = wire.router.enter(
      inPrivateEtc([...argv, ...commands.flatMap((command) => ["-c", command])], { peers: [found] }),
    );
    return (await execa(file, args, { env: found.env })).stdout;
  };
  await eventually("vtysh answers", 20_000, () =>
    vtysh("show bgp summary").then(
      (text) => text || "up",
      () => undefined,
    ),
  );
  return {
    route: async (prefix) => {
      const shown = JSON.parse(await vtysh(`show bgp ${familyOf(prefix)} unicast ${prefix} json`)) as FrrRoute;
      return frrEntry(shown.paths?.find((path) => path.peer?.peerId === speaker.address));
    },
    account: async () =>
      `${outputs.map((read) => read()).join("")}${await vtysh(`show bgp neighbors ${speaker.address}`)}`,
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
