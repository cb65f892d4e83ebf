import { createServer, type AddressInfo, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Frames, framed } from "../src/wire/frames.ts";
import type { SelfSigned } from "./self-signed.ts";

/** A connection that an upstream has accepted, with what it was asked there. */
export interface FakeConnection {
  readonly socket: Socket;
  readonly queries: Buffer[];
  readonly send: (message: Uint8Array) => void;
}

/** What happens with a query; silence when it returns nothing. */
export type StreamScript = (query: Buffer, connection: FakeConnection) => Uint8Array | undefined;

/** An upstream on loopback that is asked over streams, in the clear or over TLS, and does as told. */
export class FakeStream {
  script: StreamScript;
  readonly connections: FakeConnection[] = [];
  readonly port: number;
  readonly close: () => Promise<void>;

  static async open(script: StreamScript, identity?: SelfSigned): Promise<FakeStream> {
    const tls = identity === undefined ? undefined : { cert: identity.cert, key: identity.key };
    const server = tls === undefined ? createServer() : createTlsServer({ ...tls, ALPNProtocols: ["dot"] });
    await new Promise<void>((resolve) => void server.listen(0, "127.88.0.2", resolve));
    const { port } = server.address() as AddressInfo;
    const close = (): Promise<void> => new Promise((resolve) => void server.close(() => resolve()));
    const fake = new FakeStream(script, port, close);
    server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => fake.#accept(socket));
    return fake;
  }

  private constructor(script: StreamScript, port: number, close: () => Promise<void>) {
    this.script = script;
    this.port = port;
    this.close = () => {
      for (const { socket } of this.connections) socket.destroy();
      return close();
    };
  }

  get queries(): Buffer[] {
    return this.connections.flatMap(({ queries }) => queries);
  }

  /** Connections that are open. */
  get open(): number {
    return this.connections.filter(({ socket }) => !socket.destroyed).length;
  }

  #accept(socket: Socket): void {
    const frames = new Frames();
    const connection = {
      socket,
      queries: [] as Buffer[],
      send: (message: Uint8Array) => void socket.write(framed(message)),
    };
    this.connections.push(connection);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      frames.push(chunk);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        const query = Buffer.from(frame);
        connection.queries.push(query);
        const reply = this.script(query, connection);
        if (reply !== undefined && !socket.destroyed) connection.send(reply);
      }
    });
  }
}
