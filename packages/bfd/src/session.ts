import { type Duration, milliseconds, scaled } from "@stitch/clock";

import { type FsmEvent, transition } from "./fsm.ts";
import { IntervalPair } from "./intervals.ts";
import type { BfdReason } from "./reasons.ts";
import {
  detectionTime,
  fromMicros,
  jittered,
  longer,
  micros,
  shorter,
  SLOW_INTERVAL,
  transmitInterval,
} from "./timing.ts";
import { type BfdState, type ControlPacket, encodeControlPacket, NO_DIAGNOSTIC } from "./wire/index.ts";

/**
 * Longest that a planned end goes on saying AdminDown: with a slow peer of a large multiplier a detection time is
 * minutes, and a stop is not to wait for it.
 */
export const MAX_LINGER: Duration = milliseconds(3_000);

export type SessionTimer = "transmit" | "detection" | "linger";

export type SessionEvent =
  | { readonly type: "start" }
  /** A packet that passed every check of section 6.8.6 up to authentication. */
  | { readonly type: "received"; readonly packet: ControlPacket }
  | { readonly type: "transmit-due" }
  /** The detection time is over, and what had arrived meanwhile has been read. */
  | { readonly type: "detection-due" }
  | { readonly type: "linger-over" }
  | { readonly type: "configure"; readonly settings: SessionSettings }
  | { readonly type: "disable" };

export type SessionAction =
  | { readonly do: "send"; readonly bytes: Uint8Array }
  | { readonly do: "arm"; readonly timer: SessionTimer; readonly delay: Duration }
  | { readonly do: "disarm"; readonly timer: SessionTimer }
  | { readonly do: "report"; readonly from: BfdState; readonly to: BfdState; readonly reason: BfdReason }
  /** AdminDown has been said for long enough: nothing of the session is needed any more. */
  | { readonly do: "finish" };

export interface SessionSettings {
  /** Both bfd.DesiredMinTxInterval once Up and bfd.RequiredMinRxInterval. */
  readonly interval: Duration;
  /** bfd.DetectMult */
  readonly multiplier: number;
}

/** What the last packets of the peer said; the initial values are those of section 6.8.1. */
interface Remote {
  readonly state: BfdState;
  readonly discriminator: number;
  readonly diagnostic: number;
  readonly multiplier: number;
  readonly minRx: Duration;
  readonly minTx: Duration;
  readonly demand: boolean;
}

const UNHEARD: Remote = {
  state: "Down",
  discriminator: 0,
  diagnostic: NO_DIAGNOSTIC,
  multiplier: 0,
  minRx: fromMicros(1),
  minTx: milliseconds(0),
  demand: false,
};

/**
 * One session: events in, actions out; neither clock nor socket. The state variables are those of RFC 5880 section
 * 6.8.1. `SessionRunner` keeps the timers and sends.
 */
export class BfdSession {
  readonly localDiscriminator: number;
  readonly #random: () => number;
  #settings: SessionSettings;
  #state: BfdState = "AdminDown";
  #diagnostic: number = NO_DIAGNOSTIC;
  #remote: Remote = UNHEARD;
  #intervals: IntervalPair;
  /** The transmit timer runs with this interval, before jitter; undefined: it does not run. */
  #pace: Duration | undefined;
  /** While AdminDown is being said: how often. */
  #lingerInterval: Duration | undefined;
  #actions: SessionAction[] = [];

  constructor(localDiscriminator: number, settings: SessionSettings, random: () => number) {
    this.localDiscriminator = localDiscriminator;
    this.#settings = settings;
    this.#random = random;
    this.#intervals = new IntervalPair(this.#desiredMinTx, settings.interval);
  }

  get state(): BfdState {
    return this.#state;
  }

  get localDiagnostic(): number {
    return this.#diagnostic;
  }

  get remote(): Remote {
    return this.#remote;
  }

  get polling(): boolean {
    return this.#intervals.polling;
  }

  /** Before jitter; undefined: no periodic packets. */
  get transmitInterval(): Duration | undefined {
    return this.#pace;
  }

  /** Undefined before the peer is heard. */
  get detectionTime(): Duration | undefined {
    const { multiplier, minTx } = this.#remote;
    return multiplier === 0 ? undefined : detectionTime(multiplier, this.#intervals.requiredMinRx, minTx);
  }

  handle(event: SessionEvent): readonly SessionAction[] {
    this.#actions = [];
    this.#take(event);
    return this.#actions;
  }

  #take(event: SessionEvent): void {
    switch (event.type) {
      case "start":
        return this.#enable();
      case "received":
        return this.#received(event.packet);
      case "transmit-due":
        return this.#sendNow();
      case "detection-due":
        return this.#silent();
      case "linger-over":
        return this.#finish();
      case "configure":
        return this.#configure(event.settings);
      case "disable":
        return this.#disable();
    }
  }

  /** Section 6.8.6 from "Set bfd.RemoteDiscr" on. */
  #received(packet: ControlPacket): void {
    this.#remote = {
      state: packet.state,
      discriminator: packet.myDiscriminator,
      diagnostic: packet.diagnostic,
      multiplier: packet.detectMultiplier,
      minRx: fromMicros(packet.requiredMinRx),
      minTx: fromMicros(packet.desiredMinTx),
      demand: packet.demand,
    };
    if (packet.final) this.#intervals.confirm();
    if (this.#state === "AdminDown") return;
    const changed = this.#step({ type: "heard", state: packet.state });
    this.#armDetection();
    // The answer to a poll is owed at once, whatever the interval; it cannot carry a poll of ours.
    if (packet.poll) this.#send({ final: true });
    if (changed) this.#sendNow();
    else this.#keepPace();
  }

  /** Section 6.8.4, and 6.8.1 on bfd.RemoteDiscr: a peer unheard for a detection time is a stranger again. */
  #silent(): void {
    if (this.#state === "AdminDown") return;
    const changed = this.#step({ type: "detection-expired" });
    this.#remote = UNHEARD;
    if (changed) this.#sendNow();
    else this.#keepPace();
  }

  /** A detection time is counted with the peer's figures as they are now, and ours as far as they are agreed. */
  #armDetection(): void {
    const delay = this.detectionTime;
    if (delay !== undefined) this.#actions.push({ do: "arm", timer: "detection", delay });
  }

  /** Also takes back an end that is being said. */
  #enable(): void {
    this.#actions.push({ do: "disarm", timer: "linger" });
    this.#lingerInterval = undefined;
    if (this.#step({ type: "enable" })) this.#sendNow();
  }

  #configure(settings: SessionSettings): void {
    this.#settings = settings;
    if (this.#state === "AdminDown") return;
    this.#adoptIntervals();
    this.#keepPace();
  }

  /**
   * Section 6.8.16. The RFC would have at least a second between these packets, with which one lost packet is the
   * whole message; here the peer's own limit, the interval that was agreed on, stands on to the end.
   */
  #disable(): void {
    const told = this.#state === "Init" || this.#state === "Up";
    const interval = longer(this.#settings.interval, this.#remote.minRx);
    this.#actions.push({ do: "disarm", timer: "detection" });
    if (this.#state === "AdminDown") return this.#lingerInterval === undefined ? this.#finish() : undefined;
    this.#step({ type: "disable" });
    this.#lingerInterval = interval;
    this.#sendNow();
    if (!told) return this.#finish();
    const delay = shorter(scaled(interval, this.#settings.multiplier), MAX_LINGER);
    this.#actions.push({ do: "arm", timer: "linger", delay });
  }

  #finish(): void {
    this.#actions.push({ do: "disarm", timer: "transmit" }, { do: "finish" });
    this.#pace = undefined;
  }

  /** The only place where the state changes. Answers whether it did. */
  #step(event: FsmEvent): boolean {
    const next = transition(this.#state, event);
    if (next === undefined) return false;
    const from = this.#state;
    this.#state = next.to;
    this.#diagnostic = next.diagnostic ?? this.#diagnostic;
    this.#adoptIntervals();
    this.#actions.push({ do: "report", from, to: next.to, reason: next.reason });
    return true;
  }

  // Intervals

  get #desiredMinTx(): Duration {
    return this.#state === "Up" ? this.#settings.interval : longer(SLOW_INTERVAL, this.#settings.interval);
  }

  #adoptIntervals(): void {
    this.#intervals.want(this.#desiredMinTx, this.#settings.interval, this.#state === "Up");
  }

  /** Section 6.8.7: undefined where nothing is to be sent by itself. */
  #wantedPace(): Duration | undefined {
    if (this.#lingerInterval !== undefined) return this.#lingerInterval;
    const { demand, state, minRx } = this.#remote;
    const asksForSilence = demand && this.#state === "Up" && state === "Up" && !this.#intervals.polling;
    return asksForSilence ? undefined : transmitInterval(this.#intervals.desiredMinTx, minRx);
  }

  /** Lets the transmit timer run on, unless the interval has changed. */
  #keepPace(): void {
    if (this.#wantedPace() !== this.#pace) this.#armTransmit();
  }

  #armTransmit(): void {
    this.#pace = this.#wantedPace();
    if (this.#pace === undefined) this.#actions.push({ do: "disarm", timer: "transmit" });
    else {
      const delay = jittered(this.#pace, this.#settings.multiplier, this.#random);
      this.#actions.push({ do: "arm", timer: "transmit", delay });
    }
  }

  // Sending

  #sendNow(): void {
    this.#send({ final: false });
    this.#armTransmit();
  }

  #send({ final }: { readonly final: boolean }): void {
    const bytes = encodeControlPacket({
      diagnostic: this.#diagnostic,
      state: this.#state,
      poll: this.#intervals.polling && !final,
      final,
      detectMultiplier: this.#settings.multiplier,
      myDiscriminator: this.localDiscriminator,
      yourDiscriminator: this.#remote.discriminator,
      desiredMinTx: micros(this.#intervals.advertised.desiredMinTx),
      requiredMinRx: micros(this.#intervals.advertised.requiredMinRx),
    });
    this.#actions.push({ do: "send", bytes });
  }
}
