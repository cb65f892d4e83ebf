import type { Clock, Duration } from "@stitch/clock";

import { BgpSession } from "./session.ts";
import { checkOptions, type LocalOptions, type SessionEvent } from "./session-options.ts";
import type { Connection, ConnectionEvents, Endpoint, Listening, Transport } from "./transport.ts";
import { type Family, formatAddress, parseAddress } from "./wire/address.ts";
import { CEASE, CONNECTION_COLLISION, encodeNotification, OUT_OF_RESOURCES } from "./wire/notification.ts";
import { NO_BYTES } from "./wire/decoded.ts";

/** A peer that a listener waits for. */
export interface ListenerPeer {
  readonly address: string;
  readonly asn: number | "any";
}

export interface ListenerOptions {
  readonly local: LocalOptions;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly random: () => number;
  /** The peers to accept; `any` takes whoever connects (a demo's route monitor on loopback, tests). */
  readonly peers: readonly ListenerPeer[] | "any";
  readonly holdTime?: Duration;
  readonly families?: readonly Family[];
  /** Report the path of every prefix a peer announces, up to this many per session. Default 0. */
  readonly watchAll?: number;
  /** A session has been made: the place to `set` what it should announce. */
  readonly onSession?: (session: BgpSession) => void;
  readonly onEvent: (event: SessionEvent, session: BgpSession) => void;
}

/** A stranger that opens connection after connection gets no more than this many sessions' worth of memory. */
export const MAX_SESSIONS = 64;

/** Stands for whoever may connect while the options are checked. */
const ANYBODY: ListenerPeer = { address: "0.0.0.0", asn: "any" };

/**
 * The passive side: accepts sessions and reports what their peers announce.
 *
 * Collisions (RFC 4271 section 6.8) cannot arise from our side, because a passive session never connects. A second
 * connection of a configured peer is answered with Cease/7 while the first lives, as routers do. With `any`, every
 * connection is a session of its own and ends with it.
 */
export class BgpListener {
  readonly #options: ListenerOptions;
  readonly #sessions = new Map<string, BgpSession>();
  #listening: Listening | undefined;

  /** Throws RangeError when the options cannot make a session: better now than when somebody connects. */
  constructor(options: ListenerOptions) {
    const peers = options.peers === "any" ? [ANYBODY] : options.peers;
    for (const { address, asn } of peers) {
      checkOptions({ ...options, peer: { address, asn, ...(options.holdTime && { holdTime: options.holdTime }) } });
    }
    this.#options = options;
  }

  get sessions(): readonly BgpSession[] {
    return [...this.#sessions.values()];
  }

  /** The port listened on; undefined before `listen`. */
  get port(): number | undefined {
    return this.#listening?.port;
  }

  /** Rejects with the system's error when the address cannot be bound. */
  async listen(address: string, port: number): Promise<void> {
    this.#listening = await this.#options.transport.listen({ address, port }, (connection) => this.#accept(connection));
  }

  /** Stops listening and every session, with a text for the peers (RFC 9003). */
  async close(text = ""): Promise<void> {
    const closed = this.#listening?.close();
    this.#listening = undefined;
    const stopping = [...this.#sessions];
    await Promise.all(stopping.map(([, session]) => session.stop(text)));
    await closed;
    for (const [key, session] of stopping) if (this.#sessions.get(key) === session) this.#sessions.delete(key);
  }

  #accept(connection: Connection): ConnectionEvents | undefined {
    const { remote } = connection;
    const key = this.#options.peers === "any" ? `${remote.address} ${remote.port}` : remote.address;
    const asn = this.#asnOf(remote);
    if (asn === undefined) return undefined;
    const session = this.#sessions.get(key) ?? this.#open(key, remote, asn);
    if (session === undefined) return refuse(connection, OUT_OF_RESOURCES);
    return session.accept(connection) ?? refuse(connection, CONNECTION_COLLISION);
  }

  #asnOf(remote: Endpoint): number | "any" | undefined {
    if (this.#options.peers === "any") return "any";
    return this.#options.peers.find((peer) => spelled(peer.address) === spelled(remote.address))?.asn;
  }

  #open(key: string, remote: Endpoint, asn: number | "any"): BgpSession | undefined {
    if (this.#options.peers === "any" && this.#sessions.size >= MAX_SESSIONS) return undefined;
    const { local, clock, transport, random, families, holdTime, watchAll = 0, onSession } = this.#options;
    const session: BgpSession = new BgpSession({
      peer: { address: remote.address, port: remote.port, asn, passive: true, ...(holdTime && { holdTime }) },
      local,
      clock,
      transport,
      random,
      watchAll,
      ...(families && { families }),
      onEvent: (event) => this.#relay(key, session, event),
    });
    this.#sessions.set(key, session);
    onSession?.(session);
    session.start();
    return session;
  }

  #relay(key: string, session: BgpSession, event: SessionEvent): void {
    // A session that has been let go of may still say that it stops; nobody asked.
    if (this.#sessions.get(key) !== session) return;
    this.#options.onEvent(event, session);
    const ended = event.kind === "state" && (event.to === "Idle" || (event.to === "Active" && event.from !== "Idle"));
    if (!ended || this.#options.peers !== "any") return;
    this.#sessions.delete(key);
    void session.stop();
  }
}

/** One spelling for each address: people write IPv6 in many. */
function spelled(address: string): string {
  const bytes = parseAddress(address);
  return bytes === undefined ? address : formatAddress(bytes);
}

/** Says why and closes; the transport ends a connection that nobody took. */
function refuse(connection: Connection, subcode: number): undefined {
  connection.write(encodeNotification({ code: CEASE, subcode, data: NO_BYTES }), () => {});
}
