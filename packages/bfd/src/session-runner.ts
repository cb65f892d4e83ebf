import { type Clock, type Duration, type Instant, seconds, type Timer } from "@stitch/clock";

import { isLoss } from "./fsm.ts";
import type { Listeners } from "./listeners.ts";
import type { WantedPeer } from "./peer.ts";
import type { BfdReason, ProblemReason, RefusedReason } from "./reasons.ts";
import { BfdSession, type SessionAction, type SessionEvent, type SessionTimer } from "./session.ts";
import type { BfdChange, BfdStatus } from "./status.ts";
import { TransportError } from "./transport-error.ts";
import type { Listener, Sender, Transport } from "./transport.ts";
import type { ControlPacket } from "./wire/index.ts";

/** How soon a socket that could not be opened is tried again: an address may still be on its way to the interface. */
export const OPEN_RETRY: Duration = seconds(1);
/** Reads before silence is believed; under a flood of other datagrams the reading would not end by itself. */
export const MAX_READS = 16;

export interface RunnerOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly transport: Transport;
  readonly listeners: Listeners;
  readonly discriminator: number;
  readonly onChange: (change: BfdChange) => void;
  /** The end is said; the runner holds nothing any more. */
  readonly onFinished: (runner: SessionRunner) => void;
}

/** Gives a session its sockets, its timers and its place in time. */
export class SessionRunner {
  readonly session: BfdSession;
  readonly #options: RunnerOptions;
  readonly #timers = new Map<SessionTimer, Timer>();
  #peer: WantedPeer;
  #listener: Listener | undefined;
  #sender: Sender | undefined;
  #retry: Timer | undefined;
  #leaving = false;
  #ended = false;
  #since: Instant;
  #reason: BfdReason | undefined;
  #problem: { readonly reason: ProblemReason; readonly text: string } | undefined;
  #lastRefused: RefusedReason | undefined;
  #ups = 0;
  #received = 0;
  #sent = 0;

  constructor(peer: WantedPeer, options: RunnerOptions) {
    this.#peer = peer;
    this.#options = options;
    this.session = new BfdSession(options.discriminator, peer, options.random);
    this.#since = options.clock.now();
    void this.#open();
  }

  get peer(): WantedPeer {
    return this.#peer;
  }

  /** Its end is being said; once that is over it only closes, and cannot be taken back. */
  get leaving(): boolean {
    return this.#leaving && !this.#ended;
  }

  /** Takes new intervals; also takes back an end that is being said. Addresses never change. */
  configure(peer: WantedPeer): void {
    const changed = peer.interval !== this.#peer.interval || peer.multiplier !== this.#peer.multiplier;
    this.#peer = peer;
    this.#leaving = false;
    if (changed) this.#handle({ type: "configure", settings: peer });
    if (this.session.state === "AdminDown" && this.#sender !== undefined) this.#handle({ type: "start" });
  }

  disable(): void {
    this.#leaving = true;
    if (this.#sender === undefined) void this.#end();
    else this.#handle({ type: "disable" });
  }

  received(packet: ControlPacket): void {
    this.#received += 1;
    this.#handle({ type: "received", packet });
  }

  /** A packet from the peer's address was not used: what an operator asks for first when a session does not come up. */
  refused(reason: RefusedReason): void {
    this.#lastRefused = reason;
  }

  get status(): BfdStatus {
    const { session } = this;
    return {
      address: this.#peer.address,
      localAddress: this.#sender?.local.address ?? this.#peer.localAddress,
      sourcePort: this.#sender?.local.port,
      state: session.state,
      since: this.#since,
      reason: this.#reason,
      problem: this.#problem,
      localDiscriminator: session.localDiscriminator,
      localDiagnostic: session.localDiagnostic,
      remoteState: session.remote.state,
      remoteDiscriminator: session.remote.discriminator,
      remoteDiagnostic: session.remote.diagnostic,
      remoteMultiplier: session.remote.multiplier,
      remoteMinRx: session.remote.minRx,
      remoteMinTx: session.remote.minTx,
      transmitInterval: session.transmitInterval,
      detectionTime: session.detectionTime,
      polling: session.polling,
      received: this.#received,
      sent: this.#sent,
      sendFailures: this.#sender?.failures ?? 0,
      lastRefused: this.#lastRefused,
      ups: this.#ups,
    };
  }

  // Sockets

  async #open(): Promise<void> {
    const { transport, listeners } = this.#options;
    try {
      const local = this.#peer.localAddress ?? (await transport.sourceFor(this.#peer.address));
      this.#listener ??= await listeners.acquire(local);
      this.#sender = await transport.sender(local, this.#peer.address);
      this.#problem = undefined;
    } catch (failure) {
      await this.#closeSockets();
      this.#couldNotOpen(failure);
    }
    if (this.#ended) await this.#closeSockets();
    else if (this.#sender !== undefined) this.#handle({ type: "start" });
  }

  #couldNotOpen(failure: unknown): void {
    if (!(failure instanceof TransportError)) throw failure;
    this.#problem = { reason: failure.reason, text: failure.message };
    if (!this.#ended) this.#retry = this.#options.clock.after("open", OPEN_RETRY, () => void this.#open());
  }

  async #end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#retry?.cancel();
    for (const timer of this.#timers.values()) timer.cancel();
    await this.#closeSockets();
    this.#options.onFinished(this);
  }

  async #closeSockets(): Promise<void> {
    const sockets = [this.#listener, this.#sender];
    this.#listener = undefined;
    this.#sender = undefined;
    await Promise.all(sockets.map((socket) => socket?.close()));
  }

  // Actions

  #handle(event: SessionEvent): void {
    if (this.#ended) return;
    for (const action of this.session.handle(event)) this.#perform(action);
  }

  #perform(action: SessionAction): void {
    switch (action.do) {
      case "send":
        this.#sent += 1;
        return this.#sender?.send(action.bytes);
      case "arm":
        return this.#arm(action.timer, action.delay);
      case "disarm":
        return this.#disarm(action.timer);
      case "report":
        return this.#report(action);
      case "finish":
        return void this.#end();
    }
  }

  #report({ from, to, reason }: Extract<SessionAction, { do: "report" }>): void {
    const now = this.#options.clock.now();
    this.#since = now;
    this.#reason = reason;
    if (to === "Up") this.#ups += 1;
    this.#options.onChange({ address: this.#peer.address, from, to, reason, lost: isLoss(from, reason), at: now });
  }

  // Timers

  #arm(name: SessionTimer, delay: Duration): void {
    this.#disarm(name);
    const timer = this.#options.clock.after(`bfd-${name}`, delay, () => {
      this.#timers.delete(name);
      this.#due(name);
    });
    this.#timers.set(name, timer);
  }

  #disarm(name: SessionTimer): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  #due(name: SessionTimer): void {
    switch (name) {
      case "transmit":
        return this.#handle({ type: "transmit-due" });
      case "linger":
        return this.#handle({ type: "linger-over" });
      case "detection":
        return this.#askWhetherSilent(this.#received, MAX_READS);
    }
  }

  /**
   * Timers run before sockets are read. When our own thread was late, what proves the peer alive lies unread; so what
   * had arrived is read first. Reading goes on while it brings other peers' packets, but not for ever.
   */
  #askWhetherSilent(received: number, reads: number): void {
    const { listeners, transport } = this.#options;
    const arrived = listeners.arrived;
    transport.afterReading(() => {
      if (this.#received !== received) return;
      if (listeners.arrived !== arrived && reads > 1) this.#askWhetherSilent(received, reads - 1);
      else this.#handle({ type: "detection-due" });
    });
  }
}
