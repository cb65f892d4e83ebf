import { connect, createServer, type Server, type Socket } from "node:net";

import type { Connection, ConnectionEvents, ConnectTarget, Endpoint, Listening, Transport } from "./transport.ts";

/** BGP over the operating system's TCP. */
export class TcpTransport implements Transport {
  connect(target: ConnectTarget, events: ConnectionEvents): Connection {
    const { address, port, localAddress } = target;
    const socket = connect({ host: address, port, ...(localAddress === undefined ? {} : { localAddress }) });
    socket.once("connect", () => events.opened());
    return attach(socket, events);
  }

  async listen(at: Endpoint, accept: (connection: Connection) => ConnectionEvents | undefined): Promise<Listening> {
    const server = createServer({ noDelay: true }, (socket) => admit(socket, accept));
    await new Promise<void>((resolve, reject) => {
      // Stays on: an accept that fails for want of memory or descriptors is an error of the server, too.
      server.on("error", reject);
      server.listen({ host: at.address, port: at.port }, () => resolve());
    });
    return listening(server);
  }
}

function admit(socket: Socket, accept: (connection: Connection) => ConnectionEvents | undefined): void {
  const connection = new TcpConnection(socket);
  // A stranger who resets before we accept leaves a socket without an address: nobody to talk to.
  const events = socket.remoteAddress === undefined ? undefined : accept(connection);
  if (events === undefined) {
    socket.on("error", () => {});
    socket.destroySoon();
  } else {
    attach(socket, events, connection);
  }
}

function listening(server: Server): Listening {
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

function attach(socket: Socket, events: ConnectionEvents, connection = new TcpConnection(socket)): Connection {
  let detail = "closed";
  // Nagle would hold a withdrawal back until the peer acknowledges the KEEPALIVE before it.
  socket.setNoDelay(true);
  socket.on("data", (bytes: Buffer) => {
    yieldTurn(socket);
    events.received(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  });
  socket.on("end", () => {
    detail = "closed by the peer";
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    detail = error.message;
  });
  socket.on("close", () => events.closed(detail));
  return connection;
}

/**
 * While a peer has more to give, libuv reads 2 MiB of it in a row. Messages packed with prefixes make seconds of work of
 * that, in which no other session's KEEPALIVE goes out and no withdrawal; so after each chunk the others have a turn.
 */
function yieldTurn(socket: Socket): void {
  socket.pause();
  setImmediate(() => socket.resume());
}

class TcpConnection implements Connection {
  readonly #socket: Socket;
  #local: Endpoint = { address: "", port: 0 };
  #remote: Endpoint = { address: "", port: 0 };

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Remembered: a closed socket no longer knows. */
  get local(): Endpoint {
    const { localAddress, localPort } = this.#socket;
    if (localAddress !== undefined) this.#local = { address: plain(localAddress), port: localPort ?? 0 };
    return this.#local;
  }

  get remote(): Endpoint {
    const { remoteAddress, remotePort } = this.#socket;
    if (remoteAddress !== undefined) this.#remote = { address: plain(remoteAddress), port: remotePort ?? 0 };
    return this.#remote;
  }

  write(bytes: Uint8Array, taken: () => void): void {
    if (!this.#socket.writable) return;
    this.#socket.write(bytes, (error) => {
      if (!error) taken();
    });
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** An address without the zone of a link-local one and without the ::ffff: of IPv4 on a dual-stack socket. */
function plain(address: string): string {
  const bare = address.split("%")[0] ?? address;
  return bare.startsWith("::ffff:") && bare.includes(".") ? bare.slice("::ffff:".length) : bare;
}
