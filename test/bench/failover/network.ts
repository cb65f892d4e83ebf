import { spawnSync } from "node:child_process";
import { deleteNamespace, makeNamespace, type Namespace, peer } from "@stitch/peers";
import { execa } from "execa";
import { startFrrDaemons } from "../../interop/bgp/frr-daemons.ts";
import { ROUTER, SPEAKER, Wire } from "../../interop/bgp/wire.ts";
import { RouteWatch } from "./route-watch.ts";

export const VIP = "10.10.10.53";
/** The second origin's and the client's links to the router. */
export const OTHER = { address: "10.99.1.2", router: "10.99.1.1" } as const;
const CLIENT = { address: "10.99.2.2", router: "10.99.2.1" } as const;

/** As fast as our announcer's in the runs that have it. */
export const BFD = { interval: 50, multiplier: 3 } as const;
/** The second origin is worse than both contenders when they are up: no MED, and ExaBGP's 100; and better than its "disabled", 500. */
const SECOND_MED = 200;

/**
 * What every contender is put into, one after the other: `host` is where they run, `other` where a second origin of the VIP
 * stands when there is one, and `client` asks through the router.
 */
export class Network {
  readonly wire: Wire;
  readonly other: Namespace;
  readonly client: Namespace;
  readonly routes: RouteWatch;
  /** Asks the router. */
  readonly vtysh: (command: string) => Promise<string>;

  private constructor(wire: Wire, ends: readonly [Namespace, Namespace], routes: RouteWatch, vtysh: Network["vtysh"]) {
    this.wire = wire;
    [this.other, this.client] = ends;
    this.routes = routes;
    this.vtysh = vtysh;
  }

  static async lay(): Promise<Network> {
    const wire = await Wire.lay();
    const other = await makeNamespace("ot");
    const client = await makeNamespace("cl");
    for (const { name } of [wire.router, wire.host, other, client]) laid.add(name);
    await link(wire.router, "to-other", OTHER.router, other, OTHER.address);
    await link(wire.router, "to-client", CLIENT.router, client, CLIENT.address);
    await execa("ip", ["-n", wire.host.name, "route", "add", "default", "via", ROUTER.address]);
    for (const { name } of [wire.host, other])
      await execa("ip", ["-n", name, "address", "add", `${VIP}/32`, "dev", "lo"]);
    const [file = "", ...args] = wire.router.enter(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    await execa(file, args);
    const routes = await RouteWatch.start(wire.router, `${VIP}/32`);
    const { vtysh } = await startFrrDaemons(await peer("frr"), wire, { bfdd: "hostname router\n", bgpd: BGPD });
    return new Network(wire, [other, client], routes, vtysh);
  }

  async close(): Promise<void> {
    this.routes.stop();
    await this.wire.close();
    await deleteNamespace(this.other);
    await deleteNamespace(this.client);
    for (const { name } of [this.wire.router, this.wire.host, this.other, this.client]) laid.delete(name);
  }
}

/** Our namespaces: what runs in them ends with this process, however that ends. */
const laid = new Set<string>();
process.on("exit", () => {
  for (const name of laid) {
    const { stdout } = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" });
    for (const pid of stdout.split("\n").filter((line) => line !== "")) process.kill(Number(pid), "SIGKILL");
    spawnSync("ip", ["netns", "del", name]);
  }
});

const BGPD = `hostname router
log stdout informational
router bgp ${ROUTER.asn}
 bgp router-id ${ROUTER.routerId}
 no bgp ebgp-requires-policy
 neighbor ${SPEAKER.address} remote-as ${SPEAKER.asn}
 neighbor ${SPEAKER.address} passive
 neighbor ${SPEAKER.address} bfd ${BFD.multiplier} ${BFD.interval} ${BFD.interval}
 neighbor ${OTHER.address} remote-as ${SPEAKER.asn}
 neighbor ${OTHER.address} passive
 address-family ipv4 unicast
  neighbor ${OTHER.address} route-map SECOND in
 exit-address-family
exit
route-map SECOND permit 10
 set metric ${SECOND_MED}
exit
`;

/** A /30 between the router and a neighbour, which sends everything there. */
async function link(router: Namespace, device: string, near: string, end: Namespace, far: string): Promise<void> {
  const pair = ["type", "veth", "peer", "name", "wire0", "netns", end.name];
  await execa("ip", ["link", "add", "name", device, "netns", router.name, ...pair]);
  await execa("ip", ["-n", router.name, "address", "add", `${near}/30`, "dev", device]);
  await execa("ip", ["-n", end.name, "address", "add", `${far}/30`, "dev", "wire0"]);
  await execa("ip", ["-n", router.name, "link", "set", device, "up"]);
  await execa("ip", ["-n", end.name, "link", "set", "wire0", "up"]);
  await execa("ip", ["-n", end.name, "route", "add", "default", "via", near]);
}
