import { type Clock, type Duration, seconds, type Timer } from "@stitch/clock";

import { STALL_GRACE } from "./session-timers.ts";
import type { Connection, ConnectionEvents } from "./transport.ts";
import { type Framed, Framer } from "./wire/header.ts";
import type { Decoded } from "./wire/decoded.ts";

/** How long a close may take before the connection is dropped: a peer that reads nothing must not delay our exit. */
export const CLOSE_WAIT: Duration = seconds(1);

/**
 * A peer that does not read keeps what we wrote in our memory. Beyond this many octets nothing more is queued; the
 * wish is compared with what was sent again once the peer has caught up.
 */
export const MAX_PENDING_BYTES = 64 * 1_024;

/** What a link tells its session; each call names the link, since an old one may outlive its part in the session. */
export interface LinkEvents {
  opened(link: Link): void;
  read(link: Link, framed: Decoded<Framed>): void;
  /** The kernel took bytes that it had kept waiting, or all there were. */
  taken(link: Link): void;
  /** RFC 9687: for the send hold time the kernel has finished no write. */
  sendHoldExpired(link: Link): void;
  closed(link: Link, detail: string): void;
}

/** One TCP connection of a session: its framing, what the kernel has not taken yet, and its closing. */
export class Link implements ConnectionEvents {
  /** Resolves when the connection is closed, or when its time to close is over. */
  readonly finished: Promise<void>;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #sendHoldTime: () => Duration;
  readonly #framer = new Framer();
  readonly #resolve: () => void;
  #connection: Connection | undefined;
  #pending = 0;
  #sendHold: Timer | undefined;
  #closeWait: Timer | undefined;
  #abandoned = false;

  constructor(clock: Clock, events: LinkEvents, sendHoldTime: () => Duration) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#resolve = resolve;
    this.#clock = clock;
    this.#events = events;
    this.#sendHoldTime = sendHoldTime;
  }

  /** A link is made before its connection, so that the connection's events have a place to go. */
  attach(connection: Connection): void {
    this.#connection = connection;
  }

  get localAddress(): string {
    return this.#connection?.local.address ?? "";
  }

  get stalled(): boolean {
    return this.#pending > MAX_PENDING_BYTES;
  }

  write(bytes: Uint8Array, taken?: () => void): void {
    this.#pending += bytes.length;
    this.#connection?.write(bytes, () => {
      this.#pending -= bytes.length;
      this.#watchSending();
      taken?.();
      this.#events.taken(this);
    });
    if (this.#sendHold === undefined) this.#watchSending();
  }

  /** Closes in good order, so that a NOTIFICATION arrives, but not for ever. */
  finish(): void {
    this.#abandon();
    this.#connection?.end();
    this.#closeWait = this.#clock.after("close-wait", CLOSE_WAIT, () => this.drop());
  }

  drop(): void {
    this.#abandon();
    this.#connection?.destroy();
    this.#done();
  }

  opened(): void {
    this.#events.opened(this);
  }

  received(bytes: Uint8Array): void {
    for (const framed of this.#framer.push(bytes)) {
      if (this.#abandoned) return;
      this.#events.read(this, framed);
    }
  }

  closed(detail: string): void {
    this.#abandon();
    this.#done();
    this.#events.closed(this, detail);
  }

  /** Every write taken whole proves that the peer still reads, and starts the wait over. */
  #watchSending(): void {
    this.#sendHold?.cancel();
    this.#sendHold = undefined;
    if (this.#pending === 0 || this.#abandoned) return;
    const expired = (): void => this.#events.sendHoldExpired(this);
    this.#sendHold = this.#clock.after("send-hold", this.#sendHoldTime(), () => {
      this.#sendHold = this.#clock.after("send-hold", STALL_GRACE, expired);
    });
  }

  /** What still arrives is not for the session any more. */
  #abandon(): void {
    this.#abandoned = true;
    this.#sendHold?.cancel();
  }

  #done(): void {
    this.#closeWait?.cancel();
    this.#resolve();
  }
}
