import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, Server as TlsServer } from "node:tls";
import { milliseconds, seconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import { BindError, ENDPOINT_BYTES, writeEndpoint, type Endpoint } from "@stitch/linux-io";
import type { TlsIdentity } from "./tls/certificates.ts";
import { framed, Frames } from "./wire/frames.ts";

/** Connections at once: each costs a descriptor and some KiB, and anybody may open one (RFC 7766 section 6.2.2). */
const MOST_CONNECTIONS = 256;
/** Of one client address; more than any resolver library opens. */
const MOST_PER_CLIENT = 32;
/** With many workers the kernel deals a client's connections out unevenly: this many of them each worker takes. */
const LEAST_PER_CLIENT = 4;
/** Queries of one connection that wait for upstreams; then it is not read until some are answered. */
const MOST_PENDING = 64;
/** Queries of one connection; then it is closed and the client may open another (dnsdist 2025-03 class). */
const MOST_QUERIES = 10_000;
/** Unsent bytes of a client that asks and does not read. */
const MOST_UNSENT = 256 * 1_024;
/** RFC 7766 section 6.2.3: "of the order of a few seconds". Also ends a message sent byte by byte. */
export const TCP_IDLE: Duration = seconds(10);
const IDLE_CHECK: Duration = milliseconds(1_000);
/** Milliseconds for a handshake; a connection counts from its first packet on. */
const HANDSHAKE_LIMIT = 5_000;

/** One query over TCP, and how to answer it. */
export type TcpQuery = (message: Uint8Array, peer: Uint8Array, reply: (message: Uint8Array) => void) => void;

export interface TcpListenerOptions {
  readonly local: Endpoint;
  /**
   * Listeners that share this address, one in each worker; 1 by default. The kernel deals connections out among them, so a
   * query over TCP meets the cache and the upstreams of the thread that took it, and nothing crosses threads. The limits
   * are for the address and are shared out.
   */
  readonly workers?: number;
  readonly clock: Clock;
  /** DNS over TLS (RFC 7858): what this side proves itself with. */
  readonly tls?: TlsIdentity;
  /** Whether the client at this endpoint record may ask; others must not hold connections that those who may need. */
  readonly admits: (peer: Uint8Array) => boolean;
  /** Must call `reply` once; with an empty message when there is none to send. */
  readonly onQuery: TcpQuery;
}

interface Connection {
  readonly socket: Socket;
  readonly peer: Uint8Array;
  readonly frames: Frames;
  pending: number;
  queries: number;
  /** No more queries come; it is closed when the last answer has gone. */
  ended: boolean;
  /** When the last whole query or answer went over it. */
  activeAt: number;
}

/** DNS over TCP (RFC 7766), over TLS too: pipelined, answered in whatever order the answers come, bounded in every direction. */
export class TcpListener {
  readonly counters = { accepted: 0, refused: 0, idled: 0 };
  readonly #options: TcpListenerOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  /** Connections of TCP as they were admitted; in TLS some are still shaking hands. */
  readonly #admitted = new Set<Socket>();
  readonly #byClient = new Map<string, number>();
  readonly #idle: Timer;
  readonly #mostConnections: number;
  readonly #mostPerClient: number;

  /** Rejects with a BindError that a person can act on. */
  static async open(options: TcpListenerOptions): Promise<TcpListener> {
    const { local, tls, workers = 1 } = options;
    const server = serverOf(tls);
    const place = { host: local.address, port: local.port, ipv6Only: true, exclusive: true, reusePort: workers > 1 };
    await new Promise<void>((resolve, reject) => {
      const refused = (cause: NodeJS.ErrnoException): void =>
        reject(new BindError(local, "tcp", cause, process.platform));
      server.once("error", refused);
      server.listen(place, () => {
        server.off("error", refused);
        resolve();
      });
    });
    return new TcpListener(options, server);
  }

  private constructor(options: TcpListenerOptions, server: Server) {
    this.#options = options;
    this.#server = server;
    const { workers = 1 } = options;
    this.#mostConnections = Math.ceil(MOST_CONNECTIONS / workers);
    this.#mostPerClient = Math.max(LEAST_PER_CLIENT, Math.ceil(MOST_PER_CLIENT / workers));
    this.#idle = options.clock.every("tcp-idle", IDLE_CHECK, () => this.#closeIdle());
    server.on("connection", (socket: Socket) => this.#accept(socket));
    server.on("secureConnection", (socket: Socket) => this.#serve(socket, this.#peerOf(socket)));
    server.on("tlsClientError", (_failure: Error, socket: Socket) => socket.destroy());
    // EMFILE and the like: the listener goes on, and the next connection is tried anew.
    server.on("error", () => void (this.counters.refused += 1));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  get connections(): number {
    return this.#admitted.size;
  }

  /** Connections from now on are shown this; those there are go on. */
  prove(identity: TlsIdentity): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext({ ...identity, minVersion: "TLSv1.2" });
  }

  async close(): Promise<void> {
    this.#idle.cancel();
    for (const { socket } of this.#connections) socket.destroy();
    for (const socket of this.#admitted) socket.destroy();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const client = socket.remoteAddress ?? "";
    const peer = new Uint8Array(ENDPOINT_BYTES);
    const sameClient = this.#byClient.get(client) ?? 0;
    const known = writeEndpoint({ address: client, port: socket.remotePort ?? 0 }, peer, 0);
    socket.on("error", () => socket.destroy());
    const admitted = known && this.#options.admits(peer);
    if (!admitted || this.#admitted.size >= this.#mostConnections || sameClient >= this.#mostPerClient) {
      this.counters.refused += 1;
      socket.destroy();
      return;
    }
    this.counters.accepted += 1;
    this.#admitted.add(socket);
    this.#byClient.set(client, sameClient + 1);
    socket.on("close", () => this.#gone(socket, client));
    if (this.#options.tls === undefined) this.#serve(socket, peer);
  }

  #gone(socket: Socket, client: string): void {
    this.#admitted.delete(socket);
    const left = (this.#byClient.get(client) ?? 1) - 1;
    if (left > 0) this.#byClient.set(client, left);
    else this.#byClient.delete(client);
  }

  /** Of a connection whose handshake is done: the socket is another one, the client is the same. */
  #peerOf({ remoteAddress = "", remotePort = 0 }: Socket): Uint8Array {
    const peer = new Uint8Array(ENDPOINT_BYTES);
    writeEndpoint({ address: remoteAddress, port: remotePort }, peer, 0);
    return peer;
  }

  #serve(socket: Socket, peer: Uint8Array): void {
    const activeAt = this.#options.clock.now();
    const connection = { socket, peer, frames: new Frames(), pending: 0, queries: 0, ended: false, activeAt };
    this.#connections.add(connection);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#connections.delete(connection));
    socket.on("end", () => this.#end(connection));
    socket.on("data", (chunk: Buffer) => {
      if (connection.ended) return;
      connection.frames.push(chunk);
      this.#read(connection);
    });
  }

  /** Takes whole messages until there is none, or enough wait. A loop: one per message on the stack would overflow it. */
  #read(connection: Connection): void {
    const { socket, frames } = connection;
    while (connection.pending < MOST_PENDING && !connection.ended && !socket.destroyed) {
      const message = frames.next();
      if (message === undefined) break;
      connection.queries += 1;
      if (connection.queries > MOST_QUERIES) return this.#end(connection);
      connection.activeAt = this.#options.clock.now();
      connection.pending += 1;
      this.#options.onQuery(message, connection.peer, (reply) => this.#reply(connection, reply));
    }
    if (connection.pending >= MOST_PENDING) socket.pause();
  }

  #end(connection: Connection): void {
    connection.ended = true;
    if (connection.pending === 0) connection.socket.end();
  }

  #reply(connection: Connection, message: Uint8Array): void {
    const { socket } = connection;
    const wasFull = connection.pending >= MOST_PENDING;
    connection.pending -= 1;
    if (socket.destroyed) return;
    if (message.length > 0) socket.write(framed(message));
    connection.activeAt = this.#options.clock.now();
    if (socket.writableLength > MOST_UNSENT) return void socket.destroy();
    if (connection.ended && connection.pending === 0) return void socket.end();
    if (!wasFull || !socket.isPaused()) return;
    socket.resume();
    this.#read(connection);
  }

  #closeIdle(): void {
    const now = this.#options.clock.now();
    for (const { socket, pending, activeAt } of this.#connections) {
      if (socket.destroyed || pending > 0 || now - activeAt < TCP_IDLE) continue;
      this.counters.idled += 1;
      socket.destroy();
    }
  }
}

function serverOf(tls: TlsIdentity | undefined): Server {
  const options = { noDelay: true, allowHalfOpen: true };
  if (tls === undefined) return createServer(options);
  return createTlsServer({
    ...options,
    ...tls,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["dot"],
    handshakeTimeout: HANDSHAKE_LIMIT,
  });
}
