import type { Clock } from "@stitch/clock";
import { namespacesUnavailable, peerAvailability, type Peer, type PeerName } from "@stitch/peers";
import { execa } from "execa";
import { readTopology, type Topology } from "../topology.ts";
import { NamespaceLab } from "./driver.ts";
import { hold, type Holder } from "./holder.ts";
import { readStanding } from "./standing.ts";

export interface LayoutOptions {
  readonly topologyFile: string;
  readonly stitch: readonly string[];
  readonly clock: Clock;
  readonly progress: (line: string) => void;
  /** Further peers that a node will run: fetched before, because a node has no way out. */
  readonly alsoNeeds: readonly PeerName[];
  /** The lab outlives the runner. */
  readonly lasting: boolean;
}

/** A sentence for a person: what the lab lacks on this machine. */
export class LabUnavailable extends Error {}

export interface LabPeers {
  readonly frr: Peer;
  readonly tcpdump: Peer;
}

/** FRR and tcpdump, and the right to make namespaces; throws `LabUnavailable`. */
export async function requirements(progress: (line: string) => void): Promise<LabPeers> {
  const lacking = await namespacesUnavailable();
  if (lacking !== undefined) throw new LabUnavailable(`the lab lays its nodes out in network namespaces: ${lacking}`);
  const frr = await need("frr", "the lab's routers are FRR from Debian packages", progress);
  const tcpdump = await need("tcpdump", "the lab captures with tcpdump", progress);
  return { frr, tcpdump };
}

async function need(name: PeerName, why: string, progress: (line: string) => void): Promise<Peer> {
  const found = await peerAvailability(name, { progress });
  if (!found.ok) throw new LabUnavailable(`${why}: ${found.reason}`);
  return found.peer;
}

/** Lays a topology out: nodes, links, `exec` lines, routers, hosts. On failure nothing stays. */
export async function layOut(options: LayoutOptions): Promise<NamespaceLab> {
  const peers = await requirements(options.progress);
  for (const name of options.alsoNeeds) await need(name, `a host of this lab runs ${name}`, options.progress);
  const topology = readTopology(options.topologyFile);
  const holders = new Map<string, Holder>();
  const lab = new NamespaceLab({ topology, holders, ...peers, clock: options.clock, stitch: options.stitch });
  try {
    await build(lab, topology, holders, peers.frr, options);
  } catch (error) {
    await lab.down();
    throw error;
  }
  return lab;
}

/** Takes over the lab that `up` left standing; undefined when there is none, or one of another topology. */
export async function attach(options: LayoutOptions): Promise<NamespaceLab | undefined> {
  const standing = readStanding();
  if (standing?.topology !== options.topologyFile) return undefined;
  const peers = await requirements(options.progress);
  const topology = readTopology(options.topologyFile);
  const { holders, supervisors } = standing;
  return new NamespaceLab({ topology, holders, supervisors, ...peers, clock: options.clock, stitch: options.stitch });
}

async function build(
  lab: NamespaceLab,
  topology: Topology,
  holders: Map<string, Holder>,
  frr: Peer,
  { progress, lasting }: LayoutOptions,
): Promise<void> {
  progress(`lab: ${topology.name}: ${topology.nodes.length} nodes, ${topology.links.length} links`);
  const pidOf = (name: string | undefined): number | undefined => holders.get(name ?? "")?.pid;
  for (const node of topology.nodes)
    holders.set(
      node.name,
      await hold(node, { peers: node.runs === "frr" ? [frr] : [], lasting, networkOf: pidOf(node.networkOf) }),
    );
  for (const ends of topology.links) await connect(ends, holders);
  for (const node of topology.nodes) for (const argv of node.exec) await lab.exec(node.name, argv);
  progress(`lab: starting FRR ${frr.version} on the routers and stitch on ${lab.hosts.join(", ")}`);
  await Promise.all(topology.nodes.filter(({ runs }) => runs === "frr").map((node) => lab.startFrr(node)));
  for (const node of topology.nodes.filter(({ runs }) => runs === "stitch")) await lab.startStitch(node);
}

/** A veth pair straight between two nodes: the machine's own namespace never holds an end of it. */
async function connect([a, b]: Topology["links"][number], holders: ReadonlyMap<string, Holder>): Promise<void> {
  const [pidA, pidB] = [holders.get(a.node)?.pid, holders.get(b.node)?.pid];
  const pair = [
    "name",
    a.interface,
    "netns",
    String(pidA),
    "type",
    "veth",
    "peer",
    "name",
    b.interface,
    "netns",
    String(pidB),
  ];
  await execa("ip", ["link", "add", ...pair]);
  for (const end of [a, b]) {
    const [file = "", ...args] = holders.get(end.node)?.enter(["ip", "link", "set", end.interface, "up"]) ?? [];
    await execa(file, args);
  }
}
