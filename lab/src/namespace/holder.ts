import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Peer } from "@stitch/peers";
import { privateEtcScript, quote } from "@stitch/peers";
import type { TopologyNode } from "../topology.ts";
import { childrenOf } from "./process.ts";

/**
 * A node: network, mount, host name and process namespaces held by one shell. Everything that runs in the node is below
 * that shell in its process namespace, so the kernel ends all of it, and frees links, mounts and namespaces, when the
 * shell dies. The namespaces have no names: a run that was killed leaves nothing behind.
 */
export interface Holder {
  readonly node: string;
  /** Of the shell, in the machine's own process namespace. */
  readonly pid: number;
  /** The command line that runs `argv` inside the node. */
  enter(argv: readonly string[]): string[];
  end(): void;
}

export interface HolderOptions {
  /** Their /etc, accounts and run directories appear in the node. */
  readonly peers: readonly Peer[];
  /** The node outlives the runner (`up`); otherwise the kernel ends it with the runner. */
  readonly lasting: boolean;
  /** First process of the node whose network it shares. */
  readonly networkOf?: number | undefined;
}

export async function hold(node: TopologyNode, options: HolderOptions): Promise<Holder> {
  const { networkOf } = options;
  const shared = networkOf === undefined ? [] : ["nsenter", `--net=/proc/${networkOf}/ns/net`, "--"];
  const own = networkOf === undefined ? ["--net"] : [];
  const unshare = [...shared, "unshare", ...own, "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const tied = options.lasting ? [] : ["setpriv", "--pdeathsig", "KILL"];
  const argv = [
    ...tied,
    ...unshare,
    "--propagation",
    "private",
    "sh",
    "-c",
    script(node, options),
    "sh",
    "sh",
    "-c",
    REAPER,
  ];
  const [file = "", ...args] = argv;
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], detached: options.lasting });
  await ready(node.name, child);
  // `unshare --fork` waits outside; its child is the first process inside.
  const [pid = 0] = childrenOf(child.pid ?? 0);
  child.unref();
  return holderOf(node.name, pid);
}

export function holderOf(node: string, pid: number): Holder {
  return { node, pid, enter: (argv) => enter(pid, argv), end: () => end(pid) };
}

// Orphans of the node become children of its first process: it waits for them, or they would stay as zombies.
const REAPER = "trap : TERM; echo ready; exec >/dev/null 2>&1; while :; do sleep 3600 & wait $!; done";

/** What a node may write to besides /etc and /run, private to it. */
const STATE_DIRECTORY = "/var/lib/stitch";

function script(node: TopologyNode, { peers }: HolderOptions): string {
  const prepared = privateEtcScript({ peers, directories: [STATE_DIRECTORY] }).replace(/exec "\$@"$/, "");
  const binds = node.binds.map(
    ({ source, target }) =>
      `mkdir -p "$(dirname ${quote(target)})"; : > ${quote(target)}; mount --bind ${quote(source)} ${quote(target)}`,
  );
  const sysctls = Object.entries(node.sysctls).map(
    ([key, value]) => `echo ${quote(value)} > /proc/sys/${key.replaceAll(".", "/")}`,
  );
  return [prepared, `hostname ${quote(node.name)}`, "ip link set lo up", ...binds, ...sysctls, 'exec "$@"'].join("\n");
}

async function ready(node: string, child: ChildProcess): Promise<void> {
  let complaint = "";
  child.stderr?.on("data", (chunk: Buffer) => void (complaint += chunk.toString()));
  const started = child.stdout === null ? Promise.reject(new Error("no output")) : once(child.stdout, "data");
  const ended = once(child, "exit").then(() => Promise.reject(new Error(`node ${node} did not start: ${complaint}`)));
  await Promise.race([started, ended]);
  child.removeAllListeners("exit");
  child.stdout?.destroy();
  child.stderr?.destroy();
}

function enter(pid: number, argv: readonly string[]): string[] {
  return ["nsenter", "--target", String(pid), "--net", "--mount", "--uts", "--pid", "--", ...argv];
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended before.
  }
}
