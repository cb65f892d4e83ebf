import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { ask } from "./client.ts";
import { BESIDE, HOSTILE, HOSTILE_ZONE, NSD, PORT, UNBOUND, US, ZONE } from "./names.ts";
import { TYPE } from "./wire.ts";
import type { Made } from "./zone.ts";

const MAIN = join(import.meta.dirname, "..", "..", "..", "packages", "dns-resolver", "test", "run-main.ts");
const HEALTH = 18_797;
const STARTS_WITHIN_MS = 60_000;

/** nsd, the hostile server, unbound and our resolver, as processes on loopback. */
export class World {
  /** Of unbound and nsd. */
  readonly versions: string[] = [];
  output = "";
  readonly #folder = mkdtempSync(join(tmpdir(), "stitch-oracle-"));
  readonly #running: ChildProcess[] = [];

  static async start(made: Made): Promise<World> {
    const world = new World();
    try {
      await world.#start(made);
    } catch (failure) {
      await world.end();
      throw failure;
    }
    return world;
  }

  async end(): Promise<void> {
    const ended = this.#running
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .map((child) => new Promise<void>((resolve) => void child.once("exit", () => resolve())));
    for (const child of this.#running) child.kill("SIGKILL");
    await Promise.all(ended);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(made: Made): Promise<void> {
    const [nsd, unbound] = await Promise.all([peer("nsd"), peer("unbound")]);
    this.versions.push(`unbound ${unbound.version}`, `nsd ${nsd.version}`);
    this.#write("oracle.zone", `$ORIGIN ${ZONE}.\n${made.zone}`);
    this.#write("beside.zone", `$ORIGIN ${BESIDE}.\n${made.beside}`);
    this.#run(nsd.program("nsd"), ["-d", "-c", this.#write("nsd.conf", nsdConf(this.#folder))], nsd.env);
    this.#run(process.execPath, [join(import.meta.dirname, "hostile.ts")]);
    this.#run(
      unbound.program("unbound"),
      ["-d", "-c", this.#write("unbound.conf", unboundConf(this.#folder))],
      unbound.env,
    );
    this.#run(process.execPath, [MAIN, this.#write("site.yaml", SITE)]);
    for (const address of [NSD, UNBOUND.address, US.address]) await this.#answers(address, `ns.${ZONE}`);
    for (const address of HOSTILE) await this.#answers(address, `plain-start.${HOSTILE_ZONE}`);
  }

  #write(name: string, text: string): string {
    const file = join(this.#folder, name);
    writeFileSync(file, text);
    return file;
  }

  #run(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const child = spawn(file, args, {
      cwd: this.#folder,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.output = (this.output + chunk.toString()).slice(-20_000)));
    }
    this.#running.push(child);
  }

  async #answers(address: string, name: string): Promise<void> {
    const deadline = performance.now() + STARTS_WITHIN_MS;
    while (performance.now() < deadline) {
      const reply = await ask(address, { name, type: TYPE.A }, { id: 1, flags: 0x0100 }, false, 250);
      if (reply !== undefined && (reply.readUInt8(3) & 15) === 0) return;
    }
    throw new Error(`${address} never answered for ${name}: ${this.output}`);
  }
}

const zone = (name: string, file: string): string => `zone:\n  name: ${name}\n  zonefile: ${file}\n`;

function nsdConf(folder: string): string {
  return `server:
  ip-address: ${NSD}@${PORT}
  zonesdir: "${folder}"
  database: ""
  username: ""
  chroot: ""
  pidfile: "${folder}/nsd.pid"
  xfrdfile: "${folder}/xfrd.state"
  zonelistfile: "${folder}/zone.list"
  cookie-secret-file: "${folder}/cookies"
  server-count: 1
  tcp-count: 500
  rrl-ratelimit: 0
remote-control:
  control-enable: no
${zone(ZONE, "oracle.zone")}${zone(BESIDE, "beside.zone")}`;
}

/** A forwarder with our bounds: sizes, caps of TTLs, no validation, minimal answers. */
function unboundConf(folder: string): string {
  return `server:
  interface: ${UNBOUND.address}@${PORT}
  outgoing-interface: ${UNBOUND.asksFrom}
  access-control: 127.0.0.0/8 allow
  directory: "${folder}"
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  num-threads: 1
  num-queries-per-thread: 4096
  outgoing-range: 4096
  incoming-num-tcp: 512
  outgoing-num-tcp: 256
  so-rcvbuf: 4m
  edns-buffer-size: 1232
  max-udp-size: 1232
  minimal-responses: yes
  cache-max-ttl: 86400
  cache-max-negative-ttl: 900
  msg-cache-size: 64m
  rrset-cache-size: 128m
  unblock-lan-zones: yes
  local-zone: "test." nodefault
  local-zone: "invalid." nodefault
remote-control:
  control-enable: no
forward-zone:
  name: "${HOSTILE_ZONE}."
${HOSTILE.map((address) => `  forward-addr: ${address}@${PORT}\n`).join("")}forward-zone:
  name: "."
  forward-addr: ${NSD}@${PORT}
`;
}

const SITE = `site: nyc
instance: nyc-1
dns:
  listen: ["${US.address}:${PORT}"]
  health: "127.0.0.1:${HEALTH}"
  workers: 2
  routes:
    - { zone: ".", upstreams: ["${NSD}:${PORT}"], source: ${US.asksFrom} }
    - { zone: ${HOSTILE_ZONE}, upstreams: [${HOSTILE.map((address) => `"${address}:${PORT}"`).join(", ")}], source: ${US.asksFrom} }
`;
