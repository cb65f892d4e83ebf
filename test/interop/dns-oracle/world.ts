import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { RoleProcess } from "../../role-process.ts";
import { ask } from "./client.ts";
import { BESIDE, HOSTILE_ZONE, type Places, placesOf, PORT, ZONE } from "./names.ts";
import { TYPE } from "./wire.ts";
import type { Made } from "./zone.ts";

const HEALTH = 8_153;
const STARTS_WITHIN_MS = 60_000;

/** nsd, the hostile server, unbound and our resolver, as processes on loopback. */
export class World {
  /** Of unbound and nsd. */
  readonly versions: string[] = [];
  output = "";
  readonly #folder = mkdtempSync(join(tmpdir(), "stitch-oracle-"));
  readonly #running: ChildProcess[] = [];
  #ours: RoleProcess | undefined;
  readonly #run: number;
  readonly #places: Places;

  static async start(made: Made, run: number): Promise<World> {
    const world = new World(run);
    try {
      await world.#start(made);
    } catch (failure) {
      await world.end();
      throw failure;
    }
    return world;
  }

  private constructor(run: number) {
    this.#run = run;
    this.#places = placesOf(run);
  }

  async end(): Promise<void> {
    const ended = this.#running
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .map((child) => new Promise<void>((resolve) => void child.once("exit", () => resolve())));
    for (const child of this.#running) child.kill("SIGKILL");
    await Promise.all([...ended, this.#ours?.end()]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(made: Made): Promise<void> {
    const { us, unbound, nsd, hostile } = this.#places;
    const [nsdPeer, unboundPeer] = await Promise.all([peer("nsd"), peer("unbound")]);
    this.versions.push(`unbound ${unboundPeer.version}`, `nsd ${nsdPeer.version}`);
    this.#write("oracle.zone", `$ORIGIN ${ZONE}.\n${made.zone}`);
    this.#write("beside.zone", `$ORIGIN ${BESIDE}.\n${made.beside}`);
    this.#spawn(nsdPeer.program("nsd"), ["-d", "-c", this.#write("nsd.conf", nsdConf(this.#folder, nsd))], nsdPeer.env);
    this.#spawn(process.execPath, [join(import.meta.dirname, "hostile.ts"), String(this.#run)]);
    this.#spawn(
      unboundPeer.program("unbound"),
      ["-d", "-c", this.#write("unbound.conf", unboundConf(this.#folder, this.#places))],
      unboundPeer.env,
    );
    this.#ours = new RoleProcess("dns-resolver", this.#write("site.yaml", siteYaml(this.#places)));
    await this.#ours.serving();
    for (const address of [nsd, unbound, us]) await this.#answers(address, `ns.${ZONE}`);
    for (const address of hostile) await this.#answers(address, `plain-start.${HOSTILE_ZONE}`);
  }

  #write(name: string, text: string): string {
    const file = join(this.#folder, name);
    writeFileSync(file, text);
    return file;
  }

  #spawn(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
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
    throw new Error(`${address} never answered for ${name}: ${this.output}${this.#ours?.output ?? ""}`);
  }
}

const zone = (name: string, file: string): string => `zone:\n  name: ${name}\n  zonefile: ${file}\n`;

function nsdConf(folder: string, nsd: string): string {
  return `server:
  ip-address: ${nsd}@${PORT}
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
function unboundConf(folder: string, places: Places): string {
  return `server:
  interface: ${places.unbound}@${PORT}
  outgoing-interface: ${places.unboundAsksFrom}
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
${places.hostile.map((address) => `  forward-addr: ${address}@${PORT}\n`).join("")}forward-zone:
  name: "."
  forward-addr: ${places.nsd}@${PORT}
`;
}

function siteYaml({ us, weAskFrom, nsd, hostile }: Places): string {
  return `site: nyc
instance: nyc-1
dns:
  listen: ["${us}:${PORT}"]
  health: "${us}:${HEALTH}"
  workers: 2
  routes:
    - { zone: ".", upstreams: ["${nsd}:${PORT}"], source: ${weAskFrom} }
    - { zone: ${HOSTILE_ZONE}, upstreams: [${hostile.map((address) => `"${address}:${PORT}"`).join(", ")}], source: ${weAskFrom} }
`;
}
