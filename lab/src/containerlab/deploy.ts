import { readdirSync } from "node:fs";
import { type Clock, seconds } from "@stitch/clock";
import { peerAvailability, type Peer, type PeerName } from "@stitch/peers";
import { execa } from "execa";
import { kernelRelease } from "../kernel-release.ts";
import { LabUnavailable } from "../namespace/layout.ts";
import { until } from "../poll.ts";
import { readTopology, type Topology } from "../topology.ts";
import { topologyFile, type Variant } from "../variant.ts";
import { containerOf, ContainerlabLab, inNetworkOf, machinePid } from "./driver.ts";
import { restoreOffload } from "./offload.ts";

export interface DeployOptions {
  readonly variant: Variant;
  readonly clock: Clock;
  readonly progress: (line: string) => void;
  /** How to call the engine's client and containerlab; the plain words where both are installed. */
  readonly docker?: readonly string[];
  readonly containerlab?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A process where the engine is; the machine's first where it has no namespaces of its own. */
  readonly enginePid?: number;
}

const DEPLOY_TIMEOUT_MS = 120_000;
const COMMAND_TIMEOUT_MS = 20_000;
/** A host starts stitch when its addresses are there, so right after the deployment. */
const STARTING = seconds(30);

type Tools = Required<DeployOptions> & { readonly topologyFile: string };

/** `containerlab deploy`, for real. On failure nothing stays. Throws `LabUnavailable` where something is missing. */
export async function deploy(options: DeployOptions): Promise<ContainerlabLab> {
  const defaults = { docker: ["docker"], containerlab: ["containerlab"], env: {}, enginePid: 1 };
  const tools: Tools = { ...defaults, topologyFile: topologyFile(options.variant), ...options };
  if (process.getuid?.() !== 0) throw new LabUnavailable("containerlab makes links between containers: run it as root");
  const tcpdump = await need("tcpdump", "the lab captures with tcpdump", tools);
  const ethtool = await need("ethtool", "the lab sets its links with ethtool", tools);
  const topology = readTopology(tools.topologyFile);
  tools.progress(`lab: containerlab deploy: ${topology.nodes.length} nodes, ${topology.links.length} links`);
  try {
    await call(
      [...tools.containerlab, "deploy", "--reconfigure", "--topo", tools.topologyFile],
      tools,
      DEPLOY_TIMEOUT_MS,
    );
    return await attached(topology, tools, { tcpdump, ethtool });
  } catch (error) {
    await call([...tools.containerlab, "destroy", "--cleanup", "--topo", tools.topologyFile], tools).catch(() => "");
    throw error;
  }
}

async function need(name: PeerName, why: string, { progress }: Tools): Promise<Peer> {
  const found = await peerAvailability(name, { progress });
  if (!found.ok) throw new LabUnavailable(`${why}: ${found.reason}`);
  return found.peer;
}

interface Peers {
  readonly tcpdump: Peer;
  readonly ethtool: Peer;
}

async function attached(topology: Topology, tools: Tools, { tcpdump, ethtool }: Peers): Promise<ContainerlabLab> {
  const pids = new Map<string, number>();
  for (const { name } of topology.nodes) pids.set(name, await pidOf(containerOf(topology, name), tools));
  const enter = (node: string, argv: readonly string[]): readonly string[] => inNetworkOf(pids.get(node) ?? 0, argv);
  await restoreOffload({ topology, enter, ethtool });
  const versions = await versionsOf(topology, tools);
  const lab = new ContainerlabLab({ ...tools, topology, pids, versions, tcpdump });
  for (const host of lab.hosts)
    await until(tools.clock, `stitch on ${host}`, STARTING, async () =>
      Object.keys(await lab.roles(host)).length > 0 ? true : undefined,
    );
  return lab;
}

async function pidOf(container: string, tools: Tools): Promise<number> {
  const inner = Number(await call([...tools.docker, "inspect", "--format", "{{.State.Pid}}", container], tools));
  const all = readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0);
  const pid = inner > 0 ? machinePid(tools.enginePid, inner, all) : undefined;
  if (pid === undefined) throw new Error(`${container} does not run: ${await logOf(container, tools)}`);
  return pid;
}

/** Versions that belong beside every number. */
async function versionsOf(topology: Topology, tools: Tools): Promise<Readonly<Record<string, string>>> {
  const inside = (runs: string, argv: readonly string[]): Promise<string> => {
    const node = topology.nodes.find((candidate) => candidate.runs === runs)?.name ?? "";
    return call([...tools.docker, "exec", containerOf(topology, node), ...argv], tools).catch(() => "");
  };
  const frr = /FRRouting (\S+)/.exec(await inside("frr", ["vtysh", "-c", "show version"]))?.[1];
  const said = await call([...tools.containerlab, "version"], tools).catch(() => "");
  return {
    frr: frr ?? "unknown",
    node: (await inside("stitch", ["node", "--version"])) || "unknown",
    kernel: kernelRelease(),
    docker: await call([...tools.docker, "version", "--format", "{{.Server.Version}}"], tools),
    containerlab: /version: (\S+)/.exec(said)?.[1] ?? "unknown",
  };
}

function logOf(container: string, tools: Tools): Promise<string> {
  return call([...tools.docker, "logs", "--tail", "5", container], tools).catch((error: Error) => error.message);
}

async function call(argv: readonly string[], { env }: Tools, timeout = COMMAND_TIMEOUT_MS): Promise<string> {
  const [file = "", ...args] = argv;
  const result = await execa(file, args, { env, timeout, stdin: "ignore", reject: false });
  if (result.code === "ENOENT")
    throw new LabUnavailable(`${file} is not installed; without it the lab runs in namespaces: npm run lab`);
  if (result.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr || result.stdout || result.message}`);
  return result.stdout;
}
