import { type Duration, scaled } from "@stitch/clock";

import type { ReceivedPath } from "./adj-rib-in.ts";
import type { Change } from "./adj-rib-out.ts";
import type { Advertisement } from "./advertisement.ts";
import { connectTarget } from "./connect-target.ts";
import { type Action, type FsmEvent, type Pace, type SessionState, step } from "./fsm.ts";
import { LagMeter } from "./lag-meter.ts";
import { Link, type LinkEvents } from "./link.ts";
import { eventOf } from "./message-event.ts";
import { DEFAULT_HOLD_TIME, type Negotiated, raisedHoldTime } from "./negotiate.ts";
import { RouteExchange } from "./route-exchange.ts";
import { BGP_PORT, checkOptions, DEFAULT_FAMILIES, type SessionOptions } from "./session-options.ts";
import { SessionTimers } from "./session-timers.ts";
import { SessionRecord, type SessionStatus } from "./status.ts";
import type { Connection, ConnectionEvents, ConnectTarget } from "./transport.ts";
import type { Family } from "./wire/address.ts";
import { concat } from "./wire/bytes.ts";
import { capabilityName } from "./wire/capability.ts";
import type { Decoded, FormatError } from "./wire/decoded.ts";
import type { Framed } from "./wire/header.ts";
import { encodeKeepalive } from "./wire/keepalive.ts";
import { encodeNotification, type Notification } from "./wire/notification.ts";
import { encodeOpen } from "./wire/open.ts";
import { formatPrefix, type Prefix } from "./wire/prefix.ts";
import { encodeRouteRefresh } from "./wire/route-refresh.ts";
import { encodeEndOfRib } from "./wire/update.ts";

/** Send hold time (RFC 9687) in hold times. The RFC's eight minutes are for tables; here a stalled peer is a lost one. */
const SEND_HOLD_FACTOR = 2;

/**
 * A BGP session with one peer that keeps the peer's view equal to a wish: `set(all)` says everything that is wanted,
 * the session sends the difference in the same tick, and all of it again after a reconnect.
 */
export class BgpSession {
  readonly #options: SessionOptions;
  readonly #families: readonly Family[];
  readonly #timers: SessionTimers;
  readonly #routes: RouteExchange;
  readonly #record: SessionRecord;
  readonly #lagMeter: LagMeter;
  readonly #target: ConnectTarget;
  readonly #events: FsmEvent[] = [];
  readonly #linkEvents: LinkEvents;
  #busy = false;
  #holdTime: Duration;
  #negotiated: Negotiated | undefined;
  #link: Link | undefined;
  #closing: Promise<void> = Promise.resolve();

  /**
   * Throws RangeError when the options cannot make a session, UnsettableOptionError when the transport cannot give its
   * connections what the peer's options ask for. Nothing is sent before `start`.
   */
  constructor(options: SessionOptions) {
    checkOptions(options);
    this.#options = options;
    this.#target = connectTarget(options.peer, options.transport);
    this.#record = new SessionRecord(options.clock);
    this.#lagMeter = new LagMeter(options.clock, (lag, holdTime) => options.onEvent({ kind: "late", lag, holdTime }));
    this.#families = options.families ?? DEFAULT_FAMILIES;
    this.#timers = new SessionTimers(options.clock, options.random, (event) => this.#handle(event));
    this.#linkEvents = this.#eventsOfLinks();
    this.#routes = new RouteExchange({
      clock: options.clock,
      localAsn: options.local.asn,
      mark: options.mark,
      nextHops: options.nextHops,
      watch: options.watch ?? [],
      watchAll: options.watchAll ?? 0,
      onPath: (prefix, path) => options.onEvent({ kind: "path", prefix, path }),
      onRepeat: () => this.#flush(),
    });
    this.#holdTime = options.peer.holdTime ?? DEFAULT_HOLD_TIME;
  }

  get state(): SessionState {
    return this.#record.state;
  }

  /** The paths kept of what the peer announces. */
  get paths(): readonly ReceivedPath[] {
    return this.#routes.in.paths;
  }

  start(): void {
    this.#handle({ type: "start" });
  }

  /**
   * Everything that is wanted at the peer. While Established the difference is written before this returns; otherwise
   * it is sent with the initial table. Throws RangeError on an advertisement that cannot be sent.
   */
  set(advertisements: readonly Advertisement[]): void {
    this.#routes.out.want(advertisements);
    this.#flush();
  }

  /** Replaces the watched prefixes, and asks the peer for its routes again so that they are reported. */
  watch(prefixes: readonly Prefix[]): void {
    this.#routes.in.watch(prefixes);
    if (this.state !== "Established" || this.#negotiated?.routeRefresh !== true) return;
    for (const family of this.#negotiated.families) this.#send(encodeRouteRefresh(family));
  }

  /** Withdraws, says why (RFC 9003, at most 255 octets of UTF-8), closes. Resolves within CLOSE_WAIT. */
  async stop(text = ""): Promise<void> {
    this.#handle({ type: "stop", text });
    // From within onEvent the stop waits for its turn, which it has had when the event is over.
    await Promise.resolve();
    await this.#closing;
  }

  /**
   * The path to the peer is broken (RFC 5882 section 4): closes at once with Cease/10 (RFC 9384) and takes its paths as
   * gone. Comes back with the ordinary back-off, or when `start` is called.
   */
  bfdDown(): void {
    this.#handle({ type: "bfd-down" });
  }

  /** Passive sessions: takes a connection that the peer opened; undefined when none is waited for. */
  accept(connection: Connection): ConnectionEvents | undefined {
    if (this.state !== "Active" || this.#options.peer.passive !== true) return undefined;
    const link = this.#newLink();
    link.attach(connection);
    this.#handle({ type: "tcp-accepted" });
    return link;
  }

  get status(): SessionStatus {
    const { peer, local } = this.#options;
    const agreed = this.#negotiated;
    return {
      peer: { address: peer.address, port: peer.port ?? BGP_PORT, asn: peer.asn },
      local: { ...local, address: this.#link?.localAddress },
      ...this.#record.snapshot(),
      offeredHoldTime: this.#holdTime,
      holdTime: agreed?.holdTime,
      remoteAsn: agreed?.remoteAsn,
      remoteRouterId: agreed?.remoteRouterId,
      families: agreed?.families ?? [],
      capabilities: (agreed?.capabilityCodes ?? []).map(capabilityName),
      announced: this.#routes.out.announced.map(formatPrefix),
      unsendable: this.#routes.out.unsendable,
      ignored: this.#routes.ignored,
      lag: this.#lagMeter.lag,
    };
  }

  /** Events caused while another is handled wait for their turn, so that no action sees a half-made transition. */
  #handle(event: FsmEvent): void {
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#apply(next);
    } finally {
      this.#busy = false;
    }
  }

  #apply(event: FsmEvent): void {
    const from = this.state;
    const result = step(from, event, {
      passive: this.#options.peer.passive === true,
      canRaiseHoldTime: raisedHoldTime(this.#holdTime) !== undefined,
    });
    if (result === undefined) return;
    if (!("to" in result)) return result.forEach((action) => this.#perform(action));
    const { to, reason, detail } = result;
    this.#enter(to, reason, detail);
    for (const action of result.actions) this.#perform(action);
    this.#options.onEvent({ kind: "state", from, to, reason, detail });
  }

  /** The only place where the state changes. */
  #enter(...[to, reason, detail]: Parameters<SessionRecord["enter"]>): void {
    const outlived = this.#record.age > (this.#negotiated?.holdTime ?? 0);
    if (this.state === "Established" && outlived) this.#timers.forgiveFailures();
    this.#record.enter(to, reason, detail);
  }

  #perform(action: Action): void {
    switch (action.do) {
      case "connect":
        return this.#connect();
      case "drop":
        return this.#link?.drop();
      case "finish":
        return this.#link?.finish();
      case "send-open":
        return this.#sendOpen();
      case "adopt":
        this.#negotiated = action.negotiated;
        return this.#lagMeter.start(action.negotiated.holdTime);
      case "send-keepalive":
        return this.#sendKeepalive();
      case "notify":
        return this.#notify(action.notification);
      case "withdraw-all":
        return this.#write(this.#routes.out.withdrawAll());
      case "advertise":
        return this.#advertise();
      case "learn":
        return this.#exchange((agreed) => this.#routes.learn(action.body, agreed));
      case "refresh":
        return this.#exchange((agreed) => this.#routes.refresh(action.body, agreed));
      case "raise-hold-time":
        this.#holdTime = raisedHoldTime(this.#holdTime) ?? this.#holdTime;
        return undefined;
      case "arm":
        return this.#timers.arm(action.timer, this.#currentHoldTime);
      case "disarm":
        return this.#timers.disarm(action.timer);
      case "arm-retry":
        return this.#armRetry(action.pace);
      case "release":
        return this.#release();
    }
  }

  // The connection

  #connect(): void {
    const link = this.#newLink();
    link.attach(this.#options.transport.connect(this.#target, link));
  }

  #newLink(): Link {
    const sendHoldTime = (): Duration => scaled(this.#currentHoldTime, SEND_HOLD_FACTOR);
    this.#link = new Link(this.#options.clock, this.#linkEvents, sendHoldTime);
    return this.#link;
  }

  get #currentHoldTime(): Duration {
    return this.#negotiated?.holdTime ?? this.#holdTime;
  }

  /** What happens on a connection that the session has let go of changes nothing any more. */
  #eventsOfLinks(): LinkEvents {
    const current = (link: Link, event: FsmEvent): void => {
      if (link === this.#link) this.#handle(event);
    };
    return {
      opened: (link) => current(link, { type: "tcp-opened" }),
      sendHoldExpired: (link) => current(link, { type: "send-hold-expired" }),
      closed: (link, detail) => current(link, { type: "tcp-closed", detail }),
      read: (link, framed) => {
        if (link === this.#link) this.#read(framed);
      },
      taken: (link) => {
        if (link === this.#link) this.#flush();
      },
    };
  }

  /** A passive session has no attempts to space out: it waits at once. */
  #armRetry(pace: Pace): void {
    if (this.#options.peer.passive === true) this.#handle({ type: "retry-due" });
    else this.#timers.armRetry(pace);
  }

  #release(): void {
    this.#timers.disarmAll();
    this.#lagMeter.stop();
    if (this.#link !== undefined) this.#closing = this.#link.finished;
    this.#link = undefined;
    this.#negotiated = undefined;
    this.#routes.forget();
  }

  // Sending

  #send(message: Uint8Array): void {
    if (this.#link === undefined) return;
    this.#record.sent.countMessage(message);
    this.#link.write(message);
  }

  #sendOpen(): void {
    const { asn, routerId } = this.#options.local;
    this.#send(encodeOpen({ asn, routerId, holdTime: this.#holdTime / 1_000, families: this.#families }));
  }

  /** Behind data that the peer does not take, one more KEEPALIVE would prove nothing. */
  #sendKeepalive(): void {
    if (this.#link?.stalled !== true) this.#send(encodeKeepalive());
  }

  #notify(notification: Notification): void {
    this.#send(encodeNotification(notification));
    this.#note("sent", notification);
  }

  /** RFC 4724 section 2: End-of-RIB after the initial table, even an empty one. */
  #advertise(): void {
    this.#flush();
    for (const family of this.#negotiated?.families ?? []) this.#send(encodeEndOfRib(family));
  }

  /** Sends the difference between wish and sent. */
  #flush(): void {
    const agreed = this.#negotiated;
    if (this.state !== "Established" || agreed === undefined || this.#link === undefined || this.#link.stalled) return;
    this.#write(this.#routes.change(agreed, this.#link.localAddress));
  }

  /** One write for all messages of a change: one system call, one packet where it fits. */
  #write({ messages, announced, withdrawn }: Change): void {
    if (messages.length === 0) return;
    for (const message of messages) this.#record.sent.countMessage(message);
    const link = this.#link;
    link?.write(concat(messages), () => {
      // A connection that was let go of withdraws on its way out, but announces nothing any more.
      const lasting = link === this.#link ? announced : [];
      if (lasting.length + withdrawn.length === 0) return;
      this.#options.onEvent({ kind: "update-sent", announced: lasting, withdrawn });
    });
  }

  // Receiving

  #read(framed: Decoded<Framed>): void {
    if (!framed.ok) return this.#handle({ type: "malformed", error: framed.error });
    this.#record.received.count(framed.value.type, framed.value.size);
    const { peer, local } = this.#options;
    const event = eventOf(framed.value, {
      state: this.state,
      local: { ...local, families: this.#families, holdTime: this.#holdTime },
      expectedAsn: peer.asn,
    });
    if (event.type === "notification") this.#note("received", event.notification);
    this.#handle(event);
  }

  #exchange(take: (agreed: Negotiated) => FormatError | undefined): void {
    if (this.#negotiated === undefined) return;
    const error = take(this.#negotiated);
    if (error !== undefined) this.#handle({ type: "malformed", error });
  }

  #note(direction: "received" | "sent", notification: Notification): void {
    this.#options.onEvent({ kind: "notification", ...this.#record.note(direction, notification) });
  }
}
