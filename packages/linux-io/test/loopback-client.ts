import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Endpoint } from "../src/index.ts";

/** A peer of the socket under test: a connected socket on loopback that keeps what it receives. */
export class LoopbackClient {
  readonly received: Buffer[] = [];
  readonly local: Endpoint;
  readonly #socket: Socket;

  static async to(server: Endpoint): Promise<LoopbackClient> {
    const socket = createSocket(server.address.includes(":") ? "udp6" : "udp4");
    socket.connect(server.port, server.address);
    await once(socket, "connect");
    return new LoopbackClient(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.local = socket.address();
    socket.on("message", (bytes) => this.received.push(bytes));
  }

  get texts(): string[] {
    return this.received.map((bytes) => bytes.toString("latin1"));
  }

  /** Handed to the kernel before this returns. */
  send(...datagrams: (string | Uint8Array)[]): void {
    for (const datagram of datagrams) this.#socket.send(datagram);
  }

  close(): void {
    this.#socket.close();
  }
}
