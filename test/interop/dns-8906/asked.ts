import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import dnsPacket from "dns-packet";
import { RoleProcess } from "../../role-process.ts";
import { askTcp, askUdp } from "../one-shot.ts";

export const US = { address: "127.96.0.1", port: 5_396, health: 18_796 };
const UPSTREAM = "127.96.0.2";

const ZONE = `$ORIGIN local.test.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
@ A 192.0.2.80
ns A 192.0.2.53
`;
const SITE = `site: nyc
instance: nyc-1
dns:
  listen: ["${US.address}:${US.port}"]
  health: "127.0.0.1:${US.health}"
  cookies: { secrets: [cookie] }
  local: { zones: [local.zone] }
  routes: [ { zone: far.test, upstreams: ["${UPSTREAM}:${US.port}"] } ]
`;

/** `local.test` on the wire. */
export const NAME: readonly number[] = [5, ...Buffer.from("local"), 4, ...Buffer.from("test"), 0];
export const A_IN: readonly number[] = [0, 1, 0, 1];

/** Our resolver as a process, with local.test as local data and a route for far.test. */
export class Asked {
  readonly #upstream = createSocket("udp4");
  readonly #folder = mkdtempSync(join(tmpdir(), "stitch-8906-"));
  readonly #process: RoleProcess;

  static async start(): Promise<Asked> {
    const asked = new Asked();
    try {
      await asked.#start();
    } catch (failure) {
      await asked.end();
      throw failure;
    }
    return asked;
  }

  private constructor() {
    writeFileSync(join(this.#folder, "cookie"), "000102030405060708090a0b0c0d0e0f");
    writeFileSync(join(this.#folder, "local.zone"), ZONE);
    writeFileSync(join(this.#folder, "site.yaml"), SITE);
    this.#upstream.on(
      "message",
      (query, { port, address }) => void this.#upstream.send(answerTo(query), port, address),
    );
    this.#process = new RoleProcess("dns-resolver", join(this.#folder, "site.yaml"));
  }

  async end(): Promise<void> {
    await this.#process.end();
    this.#upstream.close();
    rmSync(this.#folder, { recursive: true });
  }

  async #start(): Promise<void> {
    await new Promise<void>((resolve) => void this.#upstream.bind(US.port, UPSTREAM, resolve));
    await this.#process.serving();
  }
}

/** An address for type A, nothing for others. */
function answerTo(bytes: Buffer): Buffer {
  const { id = 0, questions = [] } = dnsPacket.decode(bytes);
  const { name = ".", type = "A" } = questions[0] ?? {};
  const data = { mname: "ns.far.test", rname: "x.far.test", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 };
  const answers: dnsPacket.Answer[] = type === "A" ? [{ type, name, ttl: 60, data: "192.0.2.80" }] : [];
  const authorities: dnsPacket.Answer[] = type === "A" ? [] : [{ type: "SOA", name: "far.test", ttl: 60, data }];
  return dnsPacket.encode({ type: "response", id, flags: 0x80, questions, answers, authorities });
}

/** A message of ours: flags, the four counts, and what follows. */
export function octets(flags: number, counts: readonly number[], ...parts: (readonly number[])[]): Buffer {
  return Buffer.from([
    0xbe,
    0xef,
    flags >> 8,
    flags & 255,
    ...counts.flatMap((count) => [count >> 8, count & 255]),
    ...parts.flat(),
  ]);
}

const TIMEOUT_MS = 5_000;

/** The reply, or undefined when none comes in time. */
export function udp(bytes: Buffer, timeoutMs = TIMEOUT_MS): Promise<Buffer | undefined> {
  return askUdp(US, bytes, timeoutMs);
}

export function tcp(bytes: Buffer): Promise<Buffer | undefined> {
  return askTcp(US, bytes, TIMEOUT_MS);
}
