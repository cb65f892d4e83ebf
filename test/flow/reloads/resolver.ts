import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import dnsPacket from "dns-packet";
import { freePort } from "../../free-port.ts";
import { RoleProcess } from "../../role-process.ts";

export const ADDRESS = "127.90.10.53";
const UPSTREAM = "127.90.10.54";

/** A resolver with two workers as a process of its own, over an upstream that knows every name, and a zone that changes. */
export class ReloadedResolver {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "stitch-reloads-"));
  readonly #upstream: Socket;
  readonly #health: number;
  readonly #process: RoleProcess;

  static async start(): Promise<ReloadedResolver> {
    const upstream = createSocket("udp4");
    upstream.on("message", (query, { port, address }) => void upstream.send(answerTo(query), port, address));
    await new Promise<void>((resolve) => void upstream.bind(0, UPSTREAM, resolve));
    const resolver = new ReloadedResolver(upstream, await freePort(ADDRESS), await freePort("127.0.0.1"));
    await resolver.#process.serving();
    return resolver;
  }

  private constructor(upstream: Socket, port: number, health: number) {
    this.port = port;
    this.#upstream = upstream;
    this.#health = health;
    this.write(0);
    this.#process = new RoleProcess("dns-resolver", this.file);
  }

  get output(): string {
    return this.#process.output;
  }

  /** The site's files at their `n`-th version: another address for www.reload.test, another route for other.test. */
  write(n: number): void {
    writeFileSync(
      join(this.#folder, "reload.zone"),
      `$ORIGIN reload.test.\n$TTL 60\n@ SOA ns root ${n} 2 3 4 5\nwww A 192.0.2.${n}\n`,
    );
    this.writeSite(this.settings(n));
  }

  settings(n: number): string {
    const upstream = `${UPSTREAM}:${this.#upstream.address().port}`;
    return `  workers: 2
  routes:
    - { zone: ".", upstreams: ["${upstream}"] }
    - { zone: other.test, upstreams: ["${upstream}", "127.90.10.55:${5_000 + n}"] }
  local: { zones: [reload.zone] }
`;
  }

  get file(): string {
    return join(this.#folder, "site.yaml");
  }

  writeSite(settings: string): void {
    const listen = `  listen: ["${ADDRESS}:${this.port}"]\n  health: "127.0.0.1:${this.#health}"\n  control: dns.sock\n`;
    writeFileSync(this.file, `site: nyc\ninstance: nyc-1\ndns:\n${listen}${settings}`);
  }

  /** Signals, and resolves when the log says that it is `outcome`. */
  reload(outcome: "reload done" | "reload refused"): Promise<void> {
    return this.#process.reload(outcome);
  }

  async end(): Promise<void> {
    await this.#process.end();
    this.#upstream.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function answerTo(query: Buffer): Buffer {
  const { id = 0, questions = [] } = dnsPacket.decode(query);
  const name = questions[0]?.name ?? ".";
  const answers: dnsPacket.Answer[] = [{ type: "A", name, ttl: 60, data: "192.0.2.250" }];
  return dnsPacket.encode({ type: "response", id, flags: 0x80, questions, answers });
}
