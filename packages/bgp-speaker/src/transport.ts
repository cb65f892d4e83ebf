/** One end of a TCP connection, as far as BGP cares. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface ConnectTarget extends Endpoint {
  /** The address to connect from; the system chooses without it. */
  readonly localAddress?: string;
}

/** What happens on a connection. `closed` comes exactly once, last, whoever closed. */
export interface ConnectionEvents {
  /** Outgoing connections only; an accepted one is open when it is handed over. */
  opened(): void;
  received(bytes: Uint8Array): void;
  /** `detail` is for people: the error's text, or that the peer closed. */
  closed(detail: string): void;
}

export interface Connection {
  /** Known once open. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Hands bytes to the kernel in this very call where its buffer has room; `taken` is called when they are there. */
  write(bytes: Uint8Array, taken: () => void): void;
  /** Closes after what was written. */
  end(): void;
  /** Closes at once; what was not sent is lost. `closed` still follows. */
  destroy(): void;
}

export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

/** Connections as a collaborator: node:net in production, a pipe in memory in tests. */
export interface Transport {
  connect(target: ConnectTarget, events: ConnectionEvents): Connection;
  /** `accept` gives the events of a new connection, or undefined to have it closed. Rejects when the address cannot be bound. */
  listen(at: Endpoint, accept: (connection: Connection) => ConnectionEvents | undefined): Promise<Listening>;
}
