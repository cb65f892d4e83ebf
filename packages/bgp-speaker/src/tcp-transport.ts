import { createServer, type Server, type Socket } from "node:net";

import { type Dialer, PLAIN_DIALER } from "./dialer.ts";
import type {
  Connection,
  ConnectionEvents,
  ConnectTarget,
  Endpoint,
  Listening,
  SocketOption,
  Transport,
} from "./transport.ts";

/** BGP over the operating system's TCP. What node:net cannot set takes a dialer that can. */
export class TcpTransport implements Transport {
  readonly settable: readonly SocketOption[];
  readonly #dialer: Dialer;

  constructor(dialer: Dialer = PLAIN_DIALER) {
    this.#dialer = dialer;
    this.settable = dialer.sets;
  }

  connect(target: ConnectTarget, events: ConnectionEvents): Connection {
    return new DialedConnection(this.#dialer, target, events);
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

/** A connection from its first moment on, when there is no socket yet. */
class DialedConnection implements Connection {
  readonly #giveUp = new AbortController();
  readonly #target: ConnectTarget;
  readonly #events: ConnectionEvents;
  #open: TcpConnection | undefined;

  constructor(dialer: Dialer, target: ConnectTarget, events: ConnectionEvents) {
    this.#target = target;
    this.#events = events;
    dialer.dial(target, this.#giveUp.signal).then(
      (socket) => this.#opened(socket),
      (failure: unknown) => events.closed(failure instanceof Error ? failure.message : String(failure)),
    );
  }

  get local(): Endpoint {
    return this.#open?.local ?? { address: "", port: 0 };
  }

  get remote(): Endpoint {
    return this.#open?.remote ?? this.#target;
  }

  write(bytes: Uint8Array, taken: () => void): void {
    this.#open?.write(bytes, taken);
  }

  end(): void {
    if (this.#open === undefined) this.#giveUp.abort();
    else this.#open.end();
  }

  destroy(): void {
    if (this.#open === undefined) this.#giveUp.abort();
    else this.#open.destroy();
  }

  /** A socket that comes after the attempt was given up, or is dead already, has still to be closed in order. */
  #opened(socket: Socket): void {
    const connection = new TcpConnection(socket);
    this.#open = connection;
    attach(socket, this.#events, connection);
    if (this.#giveUp.signal.aborted) socket.destroy();
    else this.#events.opened();
  }
}

function attach(socket: Socket, events: ConnectionEvents, connection: TcpConnection): Connection {
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
