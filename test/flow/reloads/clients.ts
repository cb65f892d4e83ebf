import { createSocket, type Socket } from "node:dgram";
import dnsPacket from "dns-packet";
import { vi } from "vitest";
import { ADDRESS } from "./resolver.ts";

const SOCKETS = 8;
/** How long an answer may take; a machine that is away for a while loses nothing. */
const PATIENCE = { timeout: 30_000, interval: 50 };

/** Clients that ask at a steady rate, each query once, and know which were answered. */
export class Clients {
  sent = 0;
  /** rcodes other than NOERROR, and answers without an address. */
  readonly wrong: string[] = [];
  readonly #port: number;
  readonly #sockets: Socket[];
  readonly #open = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number) {
    this.#port = port;
    this.#sockets = Array.from({ length: SOCKETS }, (_, i) => {
      const socket = createSocket("udp4");
      return socket.on("message", (reply) => this.#answered(i, reply));
    });
  }

  /** `perTick` queries every ten milliseconds, as well as the machine keeps time. */
  start(perTick: number): void {
    this.#timer = setInterval(() => {
      for (let i = 0; i < perTick; i += 1) this.#send();
    }, 10);
  }

  /** Stops asking; resolves with how many were never answered. */
  async stop(): Promise<number> {
    clearInterval(this.#timer);
    await vi
      .waitFor(() => {
        if (this.#open.size > 0) throw new Error("still waiting");
      }, PATIENCE)
      .catch(() => {});
    for (const socket of this.#sockets) socket.close();
    return this.#open.size;
  }

  /** Local, cached, and of the route that changes with every reload. */
  #send(): void {
    const name = ["www.reload.test", `n${this.sent % 50}.test`, `n${this.sent % 7}.other.test`][this.sent % 3] ?? "";
    const at = this.sent % SOCKETS;
    const id = Math.floor(this.sent / SOCKETS) % 65_536;
    this.sent += 1;
    this.#open.add(`${at} ${id}`);
    this.#sockets[at]?.send(query(name, id), this.#port, ADDRESS);
  }

  #answered(at: number, reply: Buffer): void {
    this.#open.delete(`${at} ${reply.readUInt16BE(0)}`);
    if ((reply[3] ?? 0) % 16 !== 0 || reply.readUInt16BE(6) !== 1) this.wrong.push(reply.toString("hex"));
  }
}

/** The addresses of `name`, asked from a port of its own: the kernel gives it to one worker or the other. */
export function addressesOf(name: string, port: number): Promise<string[]> {
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    socket.on("message", (reply) => {
      socket.close();
      resolve((dnsPacket.decode(reply).answers ?? []).map((each) => ("data" in each ? String(each.data) : "")));
    });
    socket.send(query(name, 1), port, ADDRESS);
  });
}

function query(name: string, id: number): Buffer {
  const questions = [{ type: "A", name }] as const;
  return dnsPacket.encode({ type: "query", id, flags: dnsPacket.RECURSION_DESIRED, questions: [...questions] });
}
