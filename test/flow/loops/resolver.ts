import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import dnsPacket from "dns-packet";
import { freePort } from "../../free-port.ts";
import { type Report, RoleProcess } from "../../role-process.ts";

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** A resolver with two workers as a process of its own, with these routes. */
export class RoutedResolver {
  readonly local: Endpoint;
  readonly #folder = mkdtempSync(join(tmpdir(), "stitch-loops-"));
  readonly #health: number;
  readonly #process: RoleProcess;

  /** `routes` are lines of site.yaml. */
  static async start(local: Endpoint, routes: readonly string[]): Promise<RoutedResolver> {
    const resolver = new RoutedResolver(local, await freePort(local.address), routes);
    await resolver.#process.serving();
    return resolver;
  }

  private constructor(local: Endpoint, health: number, routes: readonly string[]) {
    this.local = local;
    this.#health = health;
    this.#write(routes);
    this.#process = new RoleProcess("dns-resolver", this.#file);
  }

  get output(): string {
    return this.#process.output;
  }

  /** Reads these routes, or those that there are once more. */
  async reload(routes?: readonly string[]): Promise<void> {
    if (routes !== undefined) this.#write(routes);
    await this.#process.reload();
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
    await this.#process.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, "site.yaml");
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
