import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { deleteNamespace, makeNamespace, type Namespace } from "@stitch/peers";
import { execa } from "execa";

export const ROUTER = { asn: 65001, address: "10.99.0.1", routerId: "10.99.0.1" } as const;
export const SPEAKER = { asn: 65101, address: "10.99.0.2", routerId: "10.99.0.2" } as const;

/** The IPv6 address of the same end of the wire: `fd00:99::2` beside `10.99.0.2`. */
export function twinOf(address: string): string {
  return `fd00:99::${address.slice(address.lastIndexOf(".") + 1)}`;
}

/** Calls until the answer is defined, or the deadline (ms) has passed: then throws what was awaited. */
export async function eventually<T>(
  what: string,
  deadline: number,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  for (const end = performance.now() + deadline; ; await pause(20)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
  }
}

/** A router and a host on one wire, each in a namespace of its own; everything ends with `close`. */
export class Wire {
  readonly router: Namespace;
  readonly host: Namespace;
  readonly directory: string;
  readonly #children: { readonly child: ChildProcess; readonly namespace: Namespace }[] = [];

  private constructor(router: Namespace, host: Namespace, directory: string) {
    this.router = router;
    this.host = host;
    this.directory = directory;
  }

  static async lay(): Promise<Wire> {
    const directory = await mkdtemp(join(tmpdir(), "stitch-bgp-"));
    await chmod(directory, 0o777);
    const wire = new Wire(await makeNamespace("rt"), await makeNamespace("ho"), directory);
    const ends = [wire.router.name, wire.host.name] as const;
    await execa("ip", [
      "link",
      "add",
      "name",
      "wire0",
      "netns",
      ends[0],
      "type",
      "veth",
      "peer",
      "name",
      "wire0",
      "netns",
      ends[1],
    ]);
    for (const [end, address] of [[ends[0], ROUTER.address] as const, [ends[1], SPEAKER.address] as const]) {
      await execa("ip", ["-n", end, "address", "add", `${address}/30`, "dev", "wire0"]);
      await execa("ip", ["-n", end, "address", "add", `${twinOf(address)}/64`, "dev", "wire0", "nodad"]);
      await execa("ip", ["-n", end, "link", "set", "wire0", "up"]);
    }
    return wire;
  }

  /** Starts a program; its output goes to the caller, who must read it. */
  start(namespace: Namespace, argv: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const [file = "", ...args] = namespace.enter(argv);
    const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    this.#children.push({ child, namespace });
    return child;
  }

  /** kill -9 of everything that was started there. */
  async killAll(at: Namespace): Promise<void> {
    const there = this.#children.filter(({ namespace }) => namespace === at);
    await Promise.all(there.map(({ child }) => ended(child)));
  }

  /** Everything that either side sends is lost without a word: both have each other's address at a place that is nobody's. */
  async cut(): Promise<void> {
    for (const [end, other] of this.#neighbours) {
      const nobody = ["lladdr", "02:00:00:00:00:99", "nud", "permanent"];
      await execa("ip", ["-n", end, "neighbor", "replace", other, "dev", "wire0", ...nobody]);
    }
  }

  async mend(): Promise<void> {
    for (const [end, other] of this.#neighbours)
      await execa("ip", ["-n", end, "neighbor", "del", other, "dev", "wire0"], { reject: false });
  }

  /** The host's kernel forgets its connections, as at a loss of power; while the wire is cut the router hears nothing of it. */
  async forgetConnections(): Promise<void> {
    const [file = "", ...args] = this.host.enter(["ss", "-Kt", "dport", "=", ":179"]);
    await execa(file, args);
  }

  get #neighbours(): (readonly [string, string])[] {
    return [
      [this.router.name, SPEAKER.address],
      [this.router.name, twinOf(SPEAKER.address)],
      [this.host.name, ROUTER.address],
      [this.host.name, twinOf(ROUTER.address)],
    ];
  }

  /** Whether the router's kernel forwards the prefix. */
  async forwards(prefix: string): Promise<boolean> {
    const family = prefix.includes(":") ? "-6" : "-4";
    const { stdout } = await execa("ip", [family, "-n", this.router.name, "route", "show", prefix]);
    return stdout !== "";
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  async close(): Promise<void> {
    for (const { child } of this.#children.toReversed()) await ended(child);
    await deleteNamespace(this.router);
    await deleteNamespace(this.host);
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await exited;
}

/** Output kept in memory, for daemons that log to it. */
export function transcript(child: ChildProcess): () => string {
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => chunks.push(text));
  return () => chunks.join("");
}
