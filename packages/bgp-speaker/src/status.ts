import { type Clock, type Duration, elapsed, type Instant } from "@stitch/clock";

import type { Unsendable } from "./adj-rib-out.ts";
import type { SessionState } from "./fsm.ts";
import type { Lag } from "./lag-meter.ts";
import type { IgnoredReason, SessionReason } from "./reasons.ts";
import type { Endpoint } from "./transport.ts";
import type { Family } from "./wire/address.ts";
import { type MessageType, messageType } from "./wire/header.ts";
import { decodeShutdownText, type Notification, notificationName } from "./wire/notification.ts";

/** A NOTIFICATION as people read it. */
export interface NotificationView {
  readonly direction: "received" | "sent";
  readonly code: number;
  readonly subcode: number;
  readonly name: string;
  /** RFC 9003 text, safe to show; empty without one. */
  readonly text: string;
}

function viewOf(direction: NotificationView["direction"], notification: Notification): NotificationView {
  const { code, subcode } = notification;
  return {
    direction,
    code,
    subcode,
    name: notificationName(code, subcode),
    text: decodeShutdownText(notification),
  };
}

export interface Traffic {
  readonly bytes: number;
  readonly messages: Readonly<Record<MessageType, number>>;
}

/** Everything there is to say about a session, as a plain object. */
export interface SessionStatus {
  readonly peer: Endpoint & { readonly asn: number | "any" };
  readonly local: { readonly asn: number; readonly routerId: string; readonly address: string | undefined };
  readonly state: SessionState;
  /** When the state was entered. */
  readonly since: Instant;
  readonly reason: SessionReason | undefined;
  readonly detail: string;
  readonly offeredHoldTime: Duration;
  /** From here on, what the peer's OPEN brought; undefined before it. */
  readonly holdTime: Duration | undefined;
  readonly remoteAsn: number | undefined;
  readonly remoteRouterId: string | undefined;
  readonly families: readonly Family[];
  /** Names of the peer's capabilities. */
  readonly capabilities: readonly string[];
  readonly announced: readonly string[];
  readonly unsendable: readonly Unsendable[];
  readonly received: Traffic;
  readonly sent: Traffic;
  readonly ignored: Readonly<Record<IgnoredReason, number>>;
  readonly lastNotification: NotificationView | undefined;
  /** How often the session has reached Established. */
  readonly established: number;
  /** How late this process runs what is due. */
  readonly lag: Lag;
}

/** What a session remembers of itself, for status: where it stands and why, and what went to and fro. */
export class SessionRecord {
  readonly received = new TrafficCounter();
  readonly sent = new TrafficCounter();
  readonly #clock: Clock;
  #state: SessionState = "Idle";
  #since: Instant;
  #reason: SessionReason | undefined;
  #detail = "";
  #lastNotification: NotificationView | undefined;
  #established = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  get state(): SessionState {
    return this.#state;
  }

  /** How long the state has lasted. */
  get age(): Duration {
    return elapsed(this.#since, this.#clock.now());
  }

  enter(state: SessionState, reason: SessionReason, detail: string): void {
    if (state === "Established") this.#established += 1;
    this.#state = state;
    this.#since = this.#clock.now();
    this.#reason = reason;
    this.#detail = detail;
  }

  note(direction: NotificationView["direction"], notification: Notification): NotificationView {
    return (this.#lastNotification = viewOf(direction, notification));
  }

  snapshot(): Pick<
    SessionStatus,
    "state" | "since" | "reason" | "detail" | "received" | "sent" | "lastNotification" | "established"
  > {
    return {
      state: this.#state,
      since: this.#since,
      reason: this.#reason,
      detail: this.#detail,
      received: this.received.snapshot(),
      sent: this.sent.snapshot(),
      lastNotification: this.#lastNotification,
      established: this.#established,
    };
  }
}

/** Octets and messages in one direction. */
class TrafficCounter implements Traffic {
  bytes = 0;
  readonly messages: Record<MessageType, number> = {
    open: 0,
    update: 0,
    notification: 0,
    keepalive: 0,
    "route-refresh": 0,
  };

  count(type: MessageType, size: number): void {
    this.messages[type] += 1;
    this.bytes += size;
  }

  countMessage(message: Uint8Array): void {
    this.count(messageType(message), message.length);
  }

  snapshot(): Traffic {
    return { bytes: this.bytes, messages: { ...this.messages } };
  }
}
