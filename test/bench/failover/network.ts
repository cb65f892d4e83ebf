import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { deleteNamespace, makeNamespace, type Namespace, peer } from "@stitch/peers";
import { execa } from "execa";
import { type FrrDaemons, type RouterPlace, startFrrDaemons } from "../../interop/bgp/frr-daemons.ts";
import { ROUTER, SPEAKER, Wire } from "../../interop/bgp/wire.ts";
import { RouteWatch } from "./route-watch.ts";

export const VIP = "10.10.10.53";
/** A second router behind the contender's, in an AS of its own, and who is attached to it. */
const CORE = { asn: 65000, address: "10.99.3.2", router: "10.99.3.1" } as const;
export const OTHER = { address: "10.99.1.2", router: { asn: CORE.asn, address: "10.99.1.1" } } as const;
const CLIENT = { address: "10.99.2.2", router: "10.99.2.1" } as const;

/** As fast as our announcer's in the runs that have it. */
export const BFD = { interval: 50, multiplier: 3 } as const;

/**
 * What every contender is put into, one after the other:
 *
 *     host (the contender) -- router -- core -- client
 *                                         \---- other (in a drain: a second origin of the VIP)
 */
export class Network {
  readonly wire: Wire;
  readonly core: Namespace;
  readonly other: Namespace;
  readonly client: Namespace;
  /** The VIP's route in the router's kernel. */
  readonly routes: RouteWatch;
  readonly #routers: { readonly router: FrrDaemons; readonly core: FrrDaemons };

  private constructor(
    wire: Wire,
    behind: Behind,
    routes: RouteWatch,
    routers: { router: FrrDaemons; core: FrrDaemons },
  ) {
    this.wire = wire;
    this.core = behind.core;
    this.other = behind.other;
    this.client = behind.client;
    this.routes = routes;
    this.#routers = routers;
  }

  static async lay(): Promise<Network> {
    const wire = await Wire.lay();
    const behind = {
      core: await makeNamespace("co"),
      other: await makeNamespace("ot"),
      client: await makeNamespace("cl"),
    };
    for (const { name } of [wire.router, wire.host, ...Object.values(behind)]) laid.add(name);
    folders.add(wire.directory);
    await connect(wire, behind);
    const routes = await RouteWatch.start(wire.router, `${VIP}/32`);
    const frr = await peer("frr");
    const router = await startFrrDaemons(frr, wire, { bfdd: "hostname router\n", bgpd: ROUTER_BGPD });
    const core = await startFrrDaemons(frr, await placeOf(wire, behind.core), { bgpd: CORE_BGPD });
    return new Network(wire, behind, routes, { router, core });
  }

  /** Whether BFD between the contender and its router is up. */
  async bfdIsUp(): Promise<boolean> {
    const shown = JSON.parse(await this.#routers.router.vtysh("show bfd peers json")) as readonly FrrBfdPeer[];
    return shown.some((each) => each.peer === SPEAKER.address && each.status === "up");
  }

  async knowsSecondOrigin(): Promise<boolean> {
    return (await this.#routers.core.vtysh(`show bgp ipv4 unicast ${VIP}/32 json`)).includes(`"${OTHER.address}"`);
  }

  async close(): Promise<void> {
    this.routes.stop();
    await this.wire.close();
    for (const each of [this.core, this.other, this.client]) await deleteNamespace(each);
    for (const { name } of [this.wire.router, this.wire.host, this.core, this.other, this.client]) laid.delete(name);
  }
}

interface FrrBfdPeer {
  readonly peer: string;
  readonly status: string;
}

type Behind = Readonly<Record<"core" | "other" | "client", Namespace>>;

async function placeOf(wire: Wire, core: Namespace): Promise<RouterPlace> {
  const directory = wire.file("core");
  await mkdir(directory);
  await chmod(directory, 0o777);
  const start: Wire["start"] = (...program) => wire.start(...program);
  return { router: core, directory, file: (name) => join(directory, name), start };
}

async function connect(wire: Wire, { core, other, client }: Behind): Promise<void> {
  await link(wire.router, "to-core", CORE.router, core, "to-router", CORE.address);
  await link(core, "to-other", OTHER.router.address, other, "wire0", OTHER.address);
  await link(core, "to-client", CLIENT.router, client, "wire0", CLIENT.address);
  const ways = [
    [wire.host, ROUTER.address],
    [wire.router, CORE.address],
    [other, OTHER.router.address],
    [client, CLIENT.router],
  ] as const;
  for (const [{ name }, via] of ways) await execa("ip", ["-n", name, "route", "add", "default", "via", via]);
  for (const { name } of [wire.host, other])
    await execa("ip", ["-n", name, "address", "add", `${VIP}/32`, "dev", "lo"]);
  for (const each of [wire.router, core]) {
    const [file = "", ...args] = each.enter(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    await execa(file, args);
  }
}

/** Our namespaces: what runs in them ends with this process, however that ends. */
const laid = new Set<string>();
const folders = new Set<string>();
process.on("exit", () => {
  for (const name of laid) {
    const { stdout } = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" });
    for (const pid of stdout.split("\n").filter((line) => line !== "")) killQuietly(Number(pid));
    spawnSync("ip", ["netns", "del", name]);
  }
  for (const directory of folders) rmSync(directory, { recursive: true, force: true });
});

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended before.
  }
}

const ROUTER_BGPD = `hostname router
log stdout informational
router bgp ${ROUTER.asn}
 bgp router-id ${ROUTER.routerId}
 no bgp ebgp-requires-policy
 neighbor ${SPEAKER.address} remote-as ${SPEAKER.asn}
 neighbor ${SPEAKER.address} passive
 neighbor ${SPEAKER.address} bfd ${BFD.multiplier} ${BFD.interval} ${BFD.interval}
 neighbor ${CORE.address} remote-as ${CORE.asn}
 neighbor ${CORE.address} timers connect 1
`;

/** The second origin's path is made longer than the contender's, which comes by way of the router. */
const CORE_BGPD = `hostname core
log stdout informational
router bgp ${CORE.asn}
 bgp router-id ${CORE.address}
 no bgp ebgp-requires-policy
 neighbor ${CORE.router} remote-as ${ROUTER.asn}
 neighbor ${CORE.router} timers connect 1
 neighbor ${OTHER.address} remote-as ${SPEAKER.asn}
 neighbor ${OTHER.address} passive
 address-family ipv4 unicast
  neighbor ${OTHER.address} route-map SECOND in
 exit-address-family
exit
route-map SECOND permit 10
 set as-path prepend ${SPEAKER.asn} ${SPEAKER.asn}
exit
`;

/** A /30 between two namespaces. */
async function link(
  near: Namespace,
  device: string,
  address: string,
  far: Namespace,
  peerDevice: string,
  peerAddress: string,
): Promise<void> {
  const pair = ["type", "veth", "peer", "name", peerDevice, "netns", far.name];
  await execa("ip", ["link", "add", "name", device, "netns", near.name, ...pair]);
  await execa("ip", ["-n", near.name, "address", "add", `${address}/30`, "dev", device]);
  await execa("ip", ["-n", far.name, "address", "add", `${peerAddress}/30`, "dev", peerDevice]);
  await execa("ip", ["-n", near.name, "link", "set", device, "up"]);
  await execa("ip", ["-n", far.name, "link", "set", peerDevice, "up"]);
}
