/** A datagram as it came to the listening port. */
export interface Arrival {
  /** The sender's address, canonical text. */
  readonly peer: string;
  /** What is left of the hop limit; undefined where the machine does not say (tests only). */
  readonly hopLimit: number | undefined;
  /** Valid during the call. */
  readonly bytes: Uint8Array;
}

export interface Listener {
  close(): Promise<void>;
}

/** A socket with a source port of its own (RFC 5881 section 4), for the packets of one session. */
export interface Sender {
  readonly local: { readonly address: string; readonly port: number };
  /** Never throws and never waits. `bytes` may be reused at once. */
  send(bytes: Uint8Array): void;
  readonly failures: number;
  close(): Promise<void>;
}

/** UDP as a collaborator: `udp-transport.ts` in production, a network in memory in tests. */
export interface Transport {
  /** Rejects with a TransportError. */
  listen(local: string, take: (arrival: Arrival) => void): Promise<Listener>;
  /** Rejects with a TransportError. */
  sender(local: string, peer: string): Promise<Sender>;
  /** The address from which the system would send to `peer`. Rejects with a TransportError. */
  sourceFor(peer: string): Promise<string>;
  /** Calls `done` when what had arrived at the time of this call has been read. */
  afterReading(done: () => void): void;
}
