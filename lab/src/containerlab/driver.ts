import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Clock } from "@stitch/clock";
import type { Peer } from "@stitch/peers";
import { execa } from "execa";
import type { Capture, ExecOptions, ExecResult, Lab, LabProcess, Nanoseconds, RoleStatus } from "../lab.ts";
import { outerPid } from "../namespace/pids.ts";
import { startProcess } from "../namespace/process.ts";
import type { Topology } from "../topology.ts";
import type { Variant } from "../variant.ts";
import { startCapture } from "../capture.ts";
import { renewed } from "../renewed.ts";

const EXEC_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 60_000;
const ROLES_FILE = "run/stitch/roles.json";

export interface ContainerlabDriverOptions {
  readonly variant: Variant;
  readonly topology: Topology;
  readonly topologyFile: string;
  /** Command lines of the engine's client and of containerlab, and what they find in their environment. */
  readonly docker: readonly string[];
  readonly containerlab: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Node -> the first process of its container, as this machine counts. */
  readonly pids: ReadonlyMap<string, number>;
  readonly versions: Readonly<Record<string, string>>;
  readonly tcpdump: Peer;
  readonly clock: Clock;
}

/**
 * The lab as containerlab deployed it. Routers and sites are asked by `docker exec`; the measuring programs run in a
 * client's network namespace with this repository's Node, so that no image has to carry them.
 */
export class ContainerlabLab implements Lab {
  readonly driver = "containerlab";
  readonly variant: Variant;
  readonly versions: Readonly<Record<string, string>>;
  readonly hosts: readonly string[];
  readonly #options: ContainerlabDriverOptions;

  constructor(options: ContainerlabDriverOptions) {
    this.#options = options;
    this.variant = options.variant;
    this.versions = options.versions;
    this.hosts = options.topology.nodes.filter(({ runs }) => runs === "stitch").map(({ name }) => name);
  }

  now(): Nanoseconds {
    return process.hrtime.bigint() as Nanoseconds;
  }

  async exec(node: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { docker, env } = this.#options;
    const ours = this.#ours(argv);
    const container = [...docker, "exec", containerOf(this.#options.topology, node), ...argv];
    const [file = "", ...args] = ours === undefined ? container : inNetworkOf(this.#pid(node), ours);
    const result = await execa(file, args, {
      env,
      reject: false,
      stdin: "ignore",
      timeout: options.timeoutMs ?? EXEC_TIMEOUT_MS,
    });
    const { stdout, stderr, exitCode = -1 } = result;
    if (exitCode !== 0 && options.mayFail !== true)
      throw new Error(`${node}: ${argv.join(" ")}: exit ${exitCode}: ${stderr || stdout || result.message}`);
    return { stdout, stderr, exitCode };
  }

  spawn(node: string, argv: readonly string[]): LabProcess {
    return startProcess(inNetworkOf(this.#pid(node), this.#ours(argv) ?? argv), {});
  }

  /** A program of this repository, run with this repository's Node; undefined for what the image brings. */
  #ours([program = "", ...args]: readonly string[]): readonly string[] | undefined {
    return program === "node" ? [process.execPath, ...args] : undefined;
  }

  async signal(node: string, names: readonly string[], signal: NodeJS.Signals): Promise<Nanoseconds> {
    const roles = await this.roles(node);
    const pids = names.map((name) => this.#rolePid(node, name, roles));
    const time = this.now();
    for (const pid of pids) process.kill(pid, signal);
    return time;
  }

  #rolePid(node: string, name: string, roles: Readonly<Record<string, RoleStatus>>): number {
    const first = this.#pid(node);
    const inner = roles[name]?.pid ?? undefined;
    const pid = name === "supervisor" ? first : inner && outerPid(first, inner);
    if (!pid) throw new Error(`${node} runs no ${name} (${JSON.stringify(roles)})`);
    return pid;
  }

  async roles(node: string): Promise<Readonly<Record<string, RoleStatus>>> {
    const text = await readFile(`/proc/${this.#pid(node)}/root/${ROLES_FILE}`, "utf8").catch(() => "{}");
    return JSON.parse(text) as Record<string, RoleStatus>;
  }

  /** A container's links end with its network, so it stays: its supervisor starts the roles anew, services before the announcer. */
  async restart(node: string): Promise<void> {
    const roles = Object.keys(await this.roles(node));
    for (const wave of [roles.filter((role) => role !== "announcer"), ["announcer"]])
      await renewed(this, this.#options.clock, node, wave, async () => void (await this.signal(node, wave, "SIGTERM")));
  }

  async log(node: string): Promise<string> {
    const { docker, env, topology } = this.#options;
    const [file = "", ...args] = [...docker, "logs", "--tail", "15", containerOf(topology, node)];
    const result = await execa(file, args, {
      env,
      reject: false,
      all: true,
      stdin: "ignore",
      timeout: EXEC_TIMEOUT_MS,
    });
    return result.all;
  }

  async link(nodeA: string, nodeB: string, state: "up" | "down"): Promise<void> {
    const ends = this.#options.topology.links.find((link) =>
      [nodeA, nodeB].every((name) => link.some(({ node }) => node === name)),
    );
    const end = ends?.find(({ node }) => node === nodeA);
    if (end === undefined) throw new Error(`no link between ${nodeA} and ${nodeB}`);
    await this.exec(nodeA, ["ip", "link", "set", end.interface, state]);
  }

  capture(node: string, device: string, filter: string): Promise<Capture> {
    const { tcpdump, clock } = this.#options;
    return startCapture({ enter: (argv) => inNetworkOf(this.#pid(node), argv), tcpdump, clock }, device, filter);
  }

  async down(): Promise<void> {
    const { containerlab, env, topologyFile } = this.#options;
    const [file = "", ...args] = [...containerlab, "destroy", "--cleanup", "--topo", topologyFile];
    await execa(file, args, { env, stdin: "ignore", timeout: STOP_TIMEOUT_MS });
  }

  #pid(node: string): number {
    const pid = this.#options.pids.get(node);
    if (pid === undefined)
      throw new Error(`the lab has no node ${node}; there are ${[...this.#options.pids.keys()].join(", ")}`);
    return pid;
  }
}

/** containerlab's name for a node's container. */
export function containerOf(topology: Topology, node: string): string {
  return `clab-${topology.name}-${node}`;
}

/** The program itself becomes nsenter's child (`--pid` makes it fork), as `startProcess` wants it. */
export function inNetworkOf(pid: number, argv: readonly string[]): string[] {
  const own = `/proc/${process.pid}/ns/pid`;
  return ["nsenter", "--target", String(pid), "--net", `--pid=${own}`, "--", ...argv];
}

/** The machine's pid of the process that is `inner` among the engine's; undefined if it is none of the engine's. */
export function machinePid(enginePid: number, inner: number, all: readonly number[]): number | undefined {
  const depth = namespacePids(enginePid).length;
  return all.find((pid) => namespacePids(pid)[depth - 1] === inner && descends(pid, enginePid));
}

/** A process's ids, from this machine's namespace to its own; empty when it is gone. */
function namespacePids(pid: number): readonly number[] {
  const line = /^NSpid:\s+(.*)$/m.exec(status(pid))?.[1];
  return line === undefined ? [] : line.split(/\s+/).map(Number);
}

function descends(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 0; at = Number(/^PPid:\s+(\d+)$/m.exec(status(at))?.[1] ?? 0))
    if (at === ancestor) return true;
  return false;
}

function status(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}
