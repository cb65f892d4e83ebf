import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import dnsPacket from "dns-packet";
import { framed, Frames } from "../src/wire/frames.ts";

/** Sends one datagram to whoever asked. */
export type Send = (bytes: Uint8Array) => void;
export interface Script {
  /** What happens with a query over UDP; silence when absent. */
  readonly udp?: (query: Buffer, send: Send, from: RemoteInfo) => void;
  /** Answer over TCP; the connection is refused when absent. */
  readonly tcp?: (query: Buffer) => Uint8Array;
}

/** An upstream on loopback that does as told, and counts. */
export class FakeUpstream {
  readonly port: number;
  readonly queries: Buffer[] = [];
  readonly ports = new Set<number>();
  tcpQueries = 0;
  tcpConnections = 0;
  readonly #connections: TcpSocket[] = [];
  readonly #socket: Socket;
  readonly #server: Server | undefined;

  static async open(address: string, script: Script): Promise<FakeUpstream> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => void socket.bind(0, address, resolve));
    const { port } = socket.address();
    const server = script.tcp === undefined ? undefined : createServer();
    if (server !== undefined) await new Promise<void>((resolve) => void server.listen(port, address, resolve));
    return new FakeUpstream(socket, server, script, port);
  }

  private constructor(socket: Socket, server: Server | undefined, script: Script, port: number) {
    this.port = port;
    this.#socket = socket;
    this.#server = server;
    socket.on("message", (query, from) => {
      this.queries.push(query);
      this.ports.add(from.port);
      script.udp?.(query, (bytes) => void socket.send(bytes, from.port, from.address), from);
    });
    server?.on("connection", (connection) => {
      const frames = new Frames();
      this.tcpConnections += 1;
      this.#connections.push(connection);
      connection.on("data", (chunk: Buffer) => {
        frames.push(chunk);
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
          this.tcpQueries += 1;
          connection.write(framed(script.tcp?.(Buffer.from(frame)) ?? new Uint8Array()));
        }
      });
      connection.on("error", () => connection.destroy());
    });
  }

  async close(): Promise<void> {
    this.#socket.close();
    for (const connection of this.#connections) connection.destroy();
    if (this.#server !== undefined) await new Promise<void>((resolve) => void this.#server?.close(() => resolve()));
  }
}

/** A response to `query` that repeats its id and question. */
export function respond(query: Buffer, fields: Partial<dnsPacket.Packet> = {}): Buffer {
  const { id = 0, questions = [] } = dnsPacket.decode(query);
  const name = questions[0]?.name ?? ".";
  const answers: dnsPacket.Answer[] = [{ type: "A", name, ttl: 60, data: "192.0.2.7" }];
  return dnsPacket.encode({ type: "response", id, flags: 0x80, questions, answers, ...fields });
}
