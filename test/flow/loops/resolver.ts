import { spawn, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import dnsPacket from "dns-packet";
import { vi } from "vitest";

const MAIN = join(import.meta.dirname, "..", "..", "..", "packages", "dns-resolver", "test", "run-main.ts");
const POLL = { timeout: 60_000, interval: 50 };

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Report {
  readonly verdict: string;
  readonly reasons: readonly { readonly code: string; readonly class: string; readonly detail: string }[];
}

/** A resolver with two workers as a process of its own, with these routes. */
export class RoutedResolver {
  readonly local: Endpoint;
  output = "";
  readonly #folder = mkdtempSync(join(tmpdir(), "stitch-loops-"));
  readonly #health: number;
  readonly #process: ChildProcess;

  /** `routes` are lines of site.yaml. */
  static async start(local: Endpoint, routes: readonly string[]): Promise<RoutedResolver> {
    const resolver = new RoutedResolver(local, await freePort(local.address), routes);
    await vi.waitFor(() => {
      if (!resolver.output.includes('"phase":"serving"')) throw new Error(resolver.output);
    }, POLL);
    return resolver;
  }

  private constructor(local: Endpoint, health: number, routes: readonly string[]) {
    this.local = local;
    this.#health = health;
    this.#write(routes);
    this.#process = spawn(process.execPath, [MAIN, this.#file], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
  }

  /** Reads these routes, or those that there are once more. */
  async reload(routes?: readonly string[]): Promise<void> {
    if (routes !== undefined) this.#write(routes);
    const before = this.#reloads;
    this.#process.kill("SIGHUP");
    await vi.waitFor(() => {
      if (this.#reloads === before) throw new Error(this.output);
    }, POLL);
  }

  async health(): Promise<Report> {
    return (await (await fetch(`http://127.0.0.1:${this.#health}/health`)).json()) as Report;
  }

  /** A figure of /metrics. */
  async figure(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#health}/metrics`)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(text)?.[1]);
  }

  /** From a port of its own, so that now one worker answers and now the other. */
  ask(name: string, type: "A" | "TXT" = "A"): Promise<Buffer> {
    const query = dnsPacket.encode({
      type: "query",
      id: 7,
      flags: dnsPacket.RECURSION_DESIRED,
      questions: [{ type, name }],
      additionals: [{ type: "OPT", name: ".", udpPayloadSize: 1_232, flags: 0, options: [] } as never],
    });
    const socket = createSocket("udp4");
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        socket.close();
        reject(new Error(`no answer for ${name}`));
      }, 20_000);
      socket.on("message", (reply) => {
        clearTimeout(late);
        socket.close();
        resolve(reply);
      });
      socket.send(query, this.local.port, this.local.address);
    });
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => void this.#process.once("close", resolve));
    if (this.#process.exitCode === null && this.#process.kill("SIGKILL")) await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, "site.yaml");
  }

  get #reloads(): number {
    return this.output.split("reload done").length - 1;
  }

  #write(routes: readonly string[]): void {
    const { address, port } = this.local;
    const lines = [
      "site: nyc",
      `instance: nyc-${address.split(".")[3]}`,
      "dns:",
      `  listen: ["${address}:${port}"]`,
      `  health: "127.0.0.1:${this.#health}"`,
      "  workers: 2",
      "  routes:",
      ...routes.map((route) => `    - ${route}`),
    ];
    writeFileSync(this.#file, `${lines.join("\n")}\n`);
  }
}

/** A port that was free a moment ago. */
export async function freePort(at: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, at, resolve));
  const address = server.address();
  await new Promise((resolve) => void server.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}
