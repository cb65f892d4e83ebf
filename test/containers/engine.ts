import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive, type Peer, peer, privateEtcScript } from "@stitch/peers";
import { execa } from "execa";
import { refusal } from "./refusal.ts";

export const ROOT: string = join(import.meta.dirname, "../..");
export const CACHE: string = join(ROOT, ".cache/containers");
/** What a test writes; emptied before the next run. */
export const SCRATCH: string = join(CACHE, "scratch");

/** Debian's Docker Engine, unpacked and running in namespaces of its own. */
export interface Engine {
  /** For programs that speak to the engine: DOCKER_HOST and what they need. */
  readonly env: Readonly<Record<string, string>>;
  /** A process where the engine is, to be entered. */
  readonly pid: number;
  docker(args: readonly string[], timeoutMs?: number): Promise<string>;
  down(): Promise<void>;
}

/**
 * `own`: a network namespace in which containers reach each other and nothing else; images run there.
 * `machine`: the machine's network for `docker build --network host`, and no bridge, rule or sysctl of the engine's own.
 */
export type EngineNetwork = "own" | "machine";

const NETWORK: Readonly<Record<EngineNetwork, readonly string[]>> = {
  own: ["--bip=172.31.255.1/24", "--iptables=true"],
  machine: ["--bridge=none", "--iptables=false", "--ip-forward=false"],
};
/** Control groups of an engine: this, and the id of the process that started it. */
const CGROUP = "stitch-containers-";
const START_LIMIT_MS = 60_000;
const COMMAND_LIMIT_MS = 60_000;
const CGROUP_LIMIT_MS = 10_000;
const POLL_MS = 100;

/** One at a time, where the folder of images is the same. Ends with this process, however that ends. */
export async function startEngine(network: EngineNetwork, data: string = join(CACHE, "data")): Promise<Engine> {
  const files = await peer("docker");
  const folder = socketFolder();
  const socket = join(folder, "docker.sock");
  mkdirSync(data, { recursive: true });
  const env = environment(files, folder, socket);
  const holder = hold(network, files, flags(network, socket, data), env);
  let complaints = "";
  holder.stderr?.on("data", (chunk: Buffer) => void (complaints = (complaints + chunk.toString()).slice(-4_096)));
  const engine = engineOf(holder, files, folder, env);
  try {
    await answering(engine, holder, () => complaints);
  } catch (error) {
    await engine.down();
    throw error;
  }
  return engine;
}

const SOCKET_FOLDER = "stitch-engine-";

/** A short path, because a Unix socket's may have 107 bytes. */
function socketFolder(): string {
  sweepSocketFolders();
  const folder = join(tmpdir(), `${SOCKET_FOLDER}${process.pid}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

function sweepSocketFolders(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(SOCKET_FOLDER)))
    if (!isAlive(Number(name.slice(SOCKET_FOLDER.length))))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
}

/** Puts away what engines leave whose starters were killed. Throws with what it cannot put away. */
export async function sweep(): Promise<void> {
  sweepSocketFolders();
  await removeCgroups();
}

function environment(files: Peer, folder: string, socket: string): Record<string, string> {
  const path = ["usr/bin", "usr/sbin"].map((directory) => files.path(directory)).join(":");
  return {
    ...files.env,
    PATH: `${path}:${process.env["PATH"] ?? ""}`,
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_CONFIG: folder,
    DOCKER_BUILDKIT: "0",
    COMPOSE_DOCKER_CLI_BUILD: "0",
  };
}

/**
 * The kernel ends the whole tree of processes when this one ends (pdeathsig, and the process namespace's first process).
 * Not `ip netns exec`: it would remount /sys, and the engine would find no cgroups.
 */
function hold(
  network: EngineNetwork,
  files: Peer,
  settings: readonly string[],
  env: Record<string, string>,
): ChildProcess {
  const namespaces = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const own = network === "own" ? ["--net"] : [];
  const argv = ["--pdeathsig", "KILL", "unshare", ...own, ...namespaces, "sh", "-c", privateEtcScript({}), "sh"];
  const engine = ["sh", "-c", script(network, files), "sh", ...settings];
  return spawn("setpriv", [...argv, ...engine], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
}

function script(network: EngineNetwork, files: Peer): string {
  const tables = files.program("iptables");
  return [
    "set -e",
    // iptables finds itself by its name, and its extensions by this path.
    `mkdir -p /run/bin; ${RUNC.replaceAll("RUNC", files.program("runc"))}`,
    `ln -s ${tables} /run/bin/iptables; ln -s ${tables} /run/bin/ip6tables`,
    `export PATH=/run/bin:$PATH XTABLES_LIBDIR=$(dirname "$(find ${files.root}/usr/lib -name 'libxt_standard.so')")`,
    ...(network === "own" ? ["ip link set lo up", "echo 1 > /proc/sys/net/ipv4/ip_forward"] : []),
    'exec dockerd "$@"',
  ].join("\n");
}

// containerlab's nodes are privileged: they ask for every capability, and a machine that is itself a guest may lack one.
const RUNC = `grep -q '^CapBnd:.*[13579bdf]......$' /proc/self/status || {
  cat > /run/bin/runc <<'END'
#!/bin/sh
previous=
for word in "$@"; do
  case $previous in --bundle) file=$word/config.json ;; --process) file=$word ;; *) file= ;; esac
  [ -z "$file" ] || sed -i 's/"CAP_SYS_RESOURCE",//g; s/,"CAP_SYS_RESOURCE"//g' "$file"
  previous=$word
done
exec RUNC "$@"
END
chmod +x /run/bin/runc; }`;

function flags(network: EngineNetwork, socket: string, data: string): string[] {
  const places = [`--host=unix://${socket}`, `--data-root=${data}`, "--exec-root=/run/docker"];
  const quiet = ["--pidfile=/run/docker.pid", "--log-level=warn", `--cgroup-parent=/${CGROUP}${process.pid}`];
  const wiring = [...NETWORK[network], "--ip-masq=false", "--ip6tables=false", "--userland-proxy=false"];
  return [...places, ...quiet, ...wiring, "--storage-driver=overlay2"];
}

function engineOf(holder: ChildProcess, files: Peer, folder: string, env: Record<string, string>): Engine {
  const ended = new Promise<void>((resolve) => void holder.on("exit", () => resolve()));
  return {
    env,
    get pid() {
      return firstChild(holder.pid ?? 0);
    },
    async docker(args, timeoutMs = COMMAND_LIMIT_MS) {
      const options = { env, stdin: "ignore", timeout: timeoutMs, forceKillAfterDelay: 1_000 } as const;
      return (await execa(files.program("docker"), args, options)).stdout;
    },
    async down() {
      holder.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
      await removeCgroups();
    },
  };
}

/** The command line that runs `argv` in an engine's network, mounts and processes. */
export function inEngine(pid: number, argv: readonly string[]): string[] {
  return ["nsenter", "--target", String(pid), "--net", "--mount", "--pid", "--", ...argv];
}

async function answering(engine: Engine, holder: ChildProcess, complaints: () => string): Promise<void> {
  for (let waited = 0; waited < START_LIMIT_MS; waited += POLL_MS) {
    if (holder.exitCode !== null) break;
    const answer = await engine.docker(["version", "--format", "{{.Server.Version}}"]).catch(() => "");
    if (answer !== "") return;
    await delay(POLL_MS);
  }
  throw new Error(refusal(complaints()));
}

function firstChild(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
}

/** What an engine's end leaves of it in the machine: empty control groups, its own and those of runs that were killed. */
async function removeCgroups(): Promise<void> {
  const roots = ["/sys/fs/cgroup", ...readdirSync("/sys/fs/cgroup").map((name) => join("/sys/fs/cgroup", name))];
  const ours = roots.flatMap((root) => cgroupsIn(root).map((name) => join(root, name)));
  // The last processes may still be on their way out.
  for (const folder of ours)
    for (let waited = 0; waited < CGROUP_LIMIT_MS && !removed(folder); waited += POLL_MS) await delay(POLL_MS);
  const left = ours.filter((folder) => existsSync(folder));
  if (left.length > 0) throw new Error(`control groups could not be removed: ${left.join(", ")}`);
}

function cgroupsIn(root: string): readonly string[] {
  const names = statSync(root).isDirectory() ? readdirSync(root) : [];
  return names.filter((name) => {
    const owner = Number(name.slice(CGROUP.length));
    return name.startsWith(CGROUP) && (owner === process.pid || !isAlive(owner));
  });
}

function removed(folder: string): boolean {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) removed(join(folder, entry.name));
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "EBUSY";
  }
}
