import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync } from "node:fs";
import { copyFile, cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { type Peer, withoutClockAccess } from "@stitch/peers";
import {
  decodeHeader,
  encodeHeader,
  type Header,
  HEADER_BYTES,
  MODE_CLIENT,
  timestampOf,
  ZERO_TIMESTAMP,
} from "@stitch/sntp-responder/wire";

const MAIN = join(import.meta.dirname, "../../../packages/sntp-responder/test/run-main.ts");
/** As in a network namespace: what a command line becomes before it is run. */
export type Enter = (argv: readonly string[]) => string[];
const here: Enter = (argv) => [...argv];

/** One health report, as much of it as is looked at here. */
export interface Report {
  readonly verdict: string;
  readonly phase: string;
  readonly reasons: readonly { readonly code: string; readonly detail: string }[];
}

/** Calls until the answer is defined, or the deadline (ms) has passed: then throws what was awaited. */
export async function eventually<T>(
  what: () => string,
  deadline: number,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  for (const end = performance.now() + deadline; ; await pause(25)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`not within ${deadline} ms: ${what()}`);
  }
}

/** A child process, ended with the test that started it. */
export class Process {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  output = "";
  over = false;

  constructor(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [file = "", ...rest] = argv;
    this.#child = spawn(file, rest, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
    this.#exit = new Promise((resolve, reject) => {
      this.#child.once("close", resolve);
      this.#child.once("error", reject);
    });
    void this.#exit.then(
      () => (this.over = true),
      () => (this.over = true),
    );
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Exit code, once it has ended by itself. */
  ended(): Promise<number | null> {
    return this.#exit;
  }

  async stop(): Promise<number | null> {
    this.signal("SIGCONT");
    this.signal("SIGTERM");
    const code = await Promise.race([this.#exit, pause(10_000, undefined, { ref: false })]);
    if (code === undefined) this.signal("SIGKILL");
    return this.#exit;
  }
}

/** A folder of the test's own, gone with it. */
export async function scratch(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "stitch-interop-ntp-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export interface ResponderAddress {
  readonly process: Process;
  readonly listen: { readonly address: string; readonly port: number };
  readonly health: string;
}

/** Our responder on `listen` with this `clock`, up and logging. */
export async function startResponder(
  folder: string,
  { listen, clock, enter = here }: { listen: string; clock: string; enter?: Enter },
): Promise<ResponderAddress> {
  const site = join(folder, `${listen.replaceAll(/\W/g, "-")}-${clock.replaceAll(/\W/g, "-")}.yaml`);
  await writeFile(site, `site: nyc\nntp: { listen: ["${listen}"], health: "127.0.0.1:0", clock: "${clock}" }\n`);
  const started = new Process(enter([process.execPath, MAIN, site]));
  const found = (pattern: RegExp): string | undefined => pattern.exec(started.output)?.[1];
  const health = await eventually(
    () => `our responder: ${started.output}`,
    20_000,
    async () => found(/"health":"([^"]+)","msg":"started"/) ?? (started.over ? "" : undefined),
  );
  if (health === "") throw new Error(`our responder has ended with ${await started.ended()}: ${started.output}`);
  const [address = "", port = ""] = (found(/"listen":\["([^"]+)"\]/) ?? "").split(":");
  return { process: started, listen: { address, port: Number(port) }, health };
}

/** chronyd as the host's daemon: without access to the clock, ports and files of its own. */
export function startChronyd(
  chrony: Peer,
  folder: string,
  directives: readonly string[],
  enter: Enter = here,
): Process {
  const own = ["bindcmdaddress /", `pidfile ${join(folder, "chronyd.pid")}`, "allow 127.0.0.0/8"];
  return new Process(enter(chronydCommand(chrony, ["-n", ...USER, ...own, ...directives])), chrony.env);
}

/** chronyd as a client that asks once, says how far off it is, and sets nothing. */
export async function askWithChronyd(
  chrony: Peer,
  folder: string,
  server: string,
  enter: Enter = here,
): Promise<string> {
  const own = ["cmdport 0", `pidfile ${join(folder, "chronyd-client.pid")}`];
  const client = new Process(enter(chronydCommand(chrony, ["-Q", "-t", "20", ...USER, ...own, server])), chrony.env);
  await client.ended();
  return client.output;
}

/** It would change to a user that this machine need not have. */
const USER = process.getuid?.() === 0 ? ["-U", "-u", "root"] : ["-U"];

function chronydCommand(chrony: Peer, args: readonly string[]): string[] {
  return withoutClockAccess([chrony.program("chronyd"), "-x", ...args]);
}

/** Its Python part looks for its C part beside itself or in the machine's own folders: a copy has it beside itself. */
export async function ntpdigEnvironment(ntpsec: Peer, folder: string): Promise<Record<string, string>> {
  const modules = join(folder, "ntpsec");
  await cp(ntpsec.path("usr/lib/python3/dist-packages/ntp"), join(modules, "ntp"), { recursive: true });
  const places = (await readdir(ntpsec.path("usr/lib"))).map((name) => ntpsec.path(`usr/lib/${name}/ntp/libntpc.so`));
  const library = places.find((place) => existsSync(place));
  if (library === undefined) throw new Error("the unpacked ntpsec has no libntpc.so");
  await copyFile(library, join(modules, "ntp/libntpc.so"));
  return { ...ntpsec.env, PYTHONPATH: modules };
}

/** One request from a socket of this process; undefined when there is no answer in half a second. */
export function askTime({ address, port }: { address: string; port: number }): Promise<Header | undefined> {
  const request = new Uint8Array(HEADER_BYTES);
  const nothing = { stratum: 0, poll: 6, precision: 0, rootDelay: 0, rootDispersion: 0, referenceId: 0 };
  const zero = { reference: ZERO_TIMESTAMP, origin: ZERO_TIMESTAMP, receive: ZERO_TIMESTAMP };
  const transmit = timestampOf(Math.random() * 2 ** 50);
  encodeHeader({ leap: 0, version: 4, mode: MODE_CLIENT, ...nothing, ...zero, transmit }, request);
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    const finish = (header: Header | undefined): void => {
      clearTimeout(limit);
      socket.close();
      resolve(header);
    };
    const limit = setTimeout(() => finish(undefined), 500);
    socket.once("message", (bytes) => {
      const decoded = decodeHeader(bytes);
      finish(decoded.ok && decoded.value.origin.fraction === transmit.fraction ? decoded.value : undefined);
    });
    socket.send(request, port, address);
  });
}

export async function healthOf(address: string): Promise<{ status: number; report: Report }> {
  const response = await fetch(`http://${address}/health`);
  return { status: response.status, report: (await response.json()) as Report };
}
