import type { Duration } from "@stitch/clock";

/** One end of a TCP connection, as far as BGP cares. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** What only the operating system's own calls can set before a connection opens. */
export const SOCKET_OPTIONS = ["md5Password", "hopLimit", "leastHopLimit", "trafficClass", "userTimeout"] as const;

export type SocketOption = (typeof SOCKET_OPTIONS)[number];

export interface ConnectTarget extends Endpoint {
  /** The address to connect from; the system chooses without it. */
  readonly localAddress?: string;
  /** TCP-MD5 signature (RFC 2385). */
  readonly md5Password?: string;
  /** TTL, or IPv6 hop limit, of what is sent. */
  readonly hopLimit?: number;
  /** What arrives with less is not for this connection (GTSM, RFC 5082). */
  readonly leastHopLimit?: number;
  /** The whole octet: DSCP in its upper six bits. */
  readonly trafficClass?: number;
  /** How long sent data may stay unacknowledged (RFC 5482). */
  readonly userTimeout?: Duration;
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
  /** Those socket options that its connections honour; a session that needs another one is refused. */
  readonly settable: readonly SocketOption[];
  connect(target: ConnectTarget, events: ConnectionEvents): Connection;
  /** `accept` gives the events of a new connection, or undefined to have it closed. Rejects when the address cannot be bound. */
  listen(at: Endpoint, accept: (connection: Connection) => ConnectionEvents | undefined): Promise<Listening>;
}
