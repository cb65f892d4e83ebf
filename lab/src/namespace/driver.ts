import { readFile } from "node:fs/promises";
import { type Clock, seconds } from "@stitch/clock";
import type { Peer } from "@stitch/peers";
import { execa } from "execa";
import type { Capture, ExecOptions, ExecResult, Lab, LabProcess, Nanoseconds, RoleStatus } from "../lab.ts";
import { startCapture } from "../capture.ts";
import { kernelRelease } from "../kernel-release.ts";
import { until } from "../poll.ts";
import { renewed } from "../renewed.ts";
import type { Topology, TopologyNode } from "../topology.ts";
import { isVariant, type Variant } from "../variant.ts";
import { frrCommands } from "./frr.ts";
import { type Holder } from "./holder.ts";
import { isAlive, outerPid } from "./pids.ts";
import { startProcess } from "./process.ts";

const EXEC_TIMEOUT_MS = 20_000;
/** A drain at its longest, and the order of stopping. */
const STOPPING = seconds(90);
const ROLES_FILE = "run/stitch/roles.json";
const LOG_FILE = "/run/stitch.log";

export interface DriverOptions {
  readonly topology: Topology;
  readonly holders: ReadonlyMap<string, Holder>;
  readonly frr: Peer;
  readonly tcpdump: Peer;
  readonly clock: Clock;
  /** What `cmd` of a stitch node is handed to. */
  readonly stitch: readonly string[];
  /** pid of each host's stitch in the machine's own process namespace, when attaching to a lab that is up. */
  readonly supervisors?: ReadonlyMap<string, number>;
}

/** The lab in network namespaces of this machine. */
export class NamespaceLab implements Lab {
  readonly driver = "namespaces";
  readonly variant: Variant;
  readonly versions: Readonly<Record<string, string>>;
  readonly hosts: readonly string[];
  readonly #options: DriverOptions;
  readonly #supervisors: Map<string, number>;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.variant = variantOf(options.topology);
    this.#supervisors = new Map(options.supervisors);
    this.hosts = options.topology.nodes.filter(({ runs }) => runs === "stitch").map(({ name }) => name);
    this.versions = { frr: options.frr.version, node: process.version, kernel: kernelRelease() };
  }

  get holders(): ReadonlyMap<string, Holder> {
    return this.#options.holders;
  }

  get supervisors(): ReadonlyMap<string, number> {
    return this.#supervisors;
  }

  now(): Nanoseconds {
    return process.hrtime.bigint() as Nanoseconds;
  }

  async exec(node: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const [file = "", ...args] = this.#holder(node).enter(this.#found(argv));
    const result = await execa(file, args, {
      env: this.#environment(node),
      reject: false,
      stdin: "ignore",
      timeout: options.timeoutMs ?? EXEC_TIMEOUT_MS,
    });
    const exitCode = result.exitCode ?? -1;
    if (exitCode !== 0 && options.mayFail !== true)
      throw new Error(
        `${node}: ${argv.join(" ")}: exit ${exitCode}: ${result.stderr || result.stdout || result.message}`,
      );
    return { stdout: result.stdout, stderr: result.stderr, exitCode };
  }

  spawn(node: string, argv: readonly string[]): LabProcess {
    return startProcess(this.#holder(node).enter(this.#found(argv)), this.#environment(node));
  }

  async signal(node: string, names: readonly string[], signal: NodeJS.Signals): Promise<Nanoseconds> {
    const roles = await this.roles(node);
    const pids = names.map((name) => this.#pidOf(node, name, roles));
    const time = this.now();
    for (const pid of pids) process.kill(pid, signal);
    return time;
  }

  async roles(node: string): Promise<Readonly<Record<string, RoleStatus>>> {
    const text = await readFile(`/proc/${this.#holder(node).pid}/root/${ROLES_FILE}`, "utf8").catch(() => "{}");
    return JSON.parse(text) as Record<string, RoleStatus>;
  }

  async log(node: string): Promise<string> {
    const { stdout } = await this.exec(node, ["tail", "-n", "15", LOG_FILE], { mayFail: true });
    return stdout;
  }

  #pidOf(node: string, name: string, roles: Readonly<Record<string, RoleStatus>>): number {
    const inner = roles[name]?.pid ?? undefined;
    const pid = name === "supervisor" ? this.#supervisors.get(node) : inner && outerPid(this.#holder(node).pid, inner);
    if (!pid) throw new Error(`${node} runs no ${name} (${JSON.stringify(roles)})`);
    return pid;
  }

  async restart(node: string): Promise<void> {
    const { clock } = this.#options;
    const roles = Object.keys(await this.roles(node));
    await renewed(this, clock, node, roles, async () => {
      const supervisor = this.#pidOf(node, "supervisor", {});
      process.kill(supervisor, "SIGTERM");
      await until(clock, `stitch on ${node} to end`, STOPPING, async () => (isAlive(supervisor) ? undefined : true));
      await this.startStitch(this.#node(node));
    });
  }

  async link(nodeA: string, nodeB: string, state: "up" | "down"): Promise<void> {
    const ends = this.#options.topology.links.find((link) => {
      const names = new Set(link.map((end) => end.node));
      return names.has(nodeA) && names.has(nodeB);
    });
    const end = ends?.find((candidate) => candidate.node === nodeA);
    if (end === undefined) throw new Error(`no link between ${nodeA} and ${nodeB}`);
    await this.exec(nodeA, ["ip", "link", "set", end.interface, state]);
  }

  capture(node: string, device: string, filter: string): Promise<Capture> {
    const { tcpdump, clock } = this.#options;
    const enter = (argv: readonly string[]): readonly string[] => this.#holder(node).enter(argv);
    return startCapture({ enter, tcpdump, clock }, device, filter);
  }

  /** Runs a router's daemons. */
  async startFrr(node: TopologyNode): Promise<void> {
    for (const argv of frrCommands(node, this.#options.frr)) await this.exec(node.name, argv);
  }

  /**
   * Starts a host's stitch in the background of the node, its output in a file there. No nsenter stays above
   * it: one would stop when the drill stops its child, and never be continued.
   */
  async startStitch(node: TopologyNode): Promise<void> {
    const command = [...this.#options.stitch, ...node.cmd].map((word) => `'${word}'`).join(" ");
    const line = `cd /; setsid ${command} </dev/null >>${LOG_FILE} 2>&1 & echo $!`;
    const { stdout } = await this.exec(node.name, ["sh", "-c", line]);
    const pid = outerPid(this.#holder(node.name).pid, Number(stdout));
    if (pid === undefined) throw new Error(`stitch did not start on ${node.name}`);
    this.#supervisors.set(node.name, pid);
  }

  async down(): Promise<void> {
    for (const holder of this.#options.holders.values()) holder.end();
  }

  #holder(node: string): Holder {
    const holder = this.#options.holders.get(node);
    if (holder === undefined)
      throw new Error(`the lab has no node ${node}; there are ${[...this.#options.holders.keys()].join(", ")}`);
    return holder;
  }

  #node(name: string): TopologyNode {
    const node = this.#options.topology.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new Error(`the topology has no node ${name}`);
    return node;
  }

  /** `vtysh` and `stitch` are on the PATH of an image; here they are found where they lie. */
  #found(argv: readonly string[]): readonly string[] {
    const [program = "", ...args] = argv;
    if (program === "vtysh") return [this.#options.frr.program("vtysh"), ...args];
    if (program === "stitch") return [...this.#options.stitch, ...args];
    if (program === "node") return [process.execPath, ...args];
    return argv;
  }

  #environment(node: string): Readonly<Record<string, string>> {
    return this.#node(node).runs === "frr" ? this.#options.frr.env : {};
  }
}

/** A topology calls itself `stitch-` and the name of its folder, so that two of them can stand side by side under containerlab. */
function variantOf({ name }: Topology): Variant {
  const variant = name.replace(/^stitch-/, "");
  if (!isVariant(variant)) throw new Error(`the drills know no topology "${name}"`);
  return variant;
}
