import type { Clock } from "@stitch/clock";

import { Listeners } from "./listeners.ts";
import type { WantedPeer } from "./peer.ts";
import { noneRefused, type RefusedReason } from "./reasons.ts";
import { SessionRunner } from "./session-runner.ts";
import type { BfdChange, BfdStatus } from "./status.ts";
import type { Arrival, Transport } from "./transport.ts";
import { type ControlPacket, decodeControlPacket } from "./wire/index.ts";

/** RFC 5881 section 5: what was sent with the highest hop limit and still has it has passed no router. */
const HOP_LIMIT = 255;

export interface EngineOptions {
  readonly clock: Clock;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** 32 bits that nobody can guess, for discriminators. */
  readonly randomBits: () => number;
  readonly transport: Transport;
  readonly onChange: (change: BfdChange) => void;
}

/**
 * All sessions of a host: keeps them equal to a wish and gives each packet to its session.
 *
 * A normal packet: it comes with hop limit 255, passes the checks of RFC 5880 section 6.8.6, names our discriminator, and
 * moves the detection timer of its session. A hard one: the router has restarted and knows no discriminator of ours; with
 * Your Discriminator zero and state Down its address decides, and the session it ends is the one that it had forgotten.
 * A stranger on the link who can forge the router's address can do that too; one beyond a router cannot (hop limit).
 */
export class BfdEngine {
  readonly #options: EngineOptions;
  readonly #listeners: Listeners;
  readonly #byPeer = new Map<string, SessionRunner>();
  /** Also those whose end is being said. */
  readonly #byDiscriminator = new Map<number, SessionRunner>();
  readonly #refused = noneRefused();
  #idle: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#listeners = new Listeners(options.transport, (arrival) => this.#take(arrival));
  }

  get sessions(): readonly BfdStatus[] {
    return [...this.#byPeer.values()].map((runner) => runner.status);
  }

  get refused(): Readonly<Record<RefusedReason, number>> {
    return { ...this.#refused };
  }

  /** All sessions that are wanted. Others end with AdminDown; those that stay are not disturbed. */
  set(peers: readonly WantedPeer[]): void {
    const wanted = new Map(peers.map((peer) => [peer.address, peer]));
    for (const [address, runner] of this.#byPeer) {
      const peer = wanted.get(address);
      if (peer !== undefined && peer.localAddress === runner.peer.localAddress) continue;
      this.#byPeer.delete(address);
      runner.disable();
    }
    for (const peer of peers) this.#want(peer);
  }

  /** Ends every session with AdminDown. Resolves when the peers have been told for long enough. */
  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    this.set([]);
    this.#resolveWhenIdle();
    await promise;
  }

  #want(peer: WantedPeer): void {
    const runner = this.#byPeer.get(peer.address) ?? this.#leaving(peer);
    if (runner === undefined) this.#start(peer);
    else {
      this.#byPeer.set(peer.address, runner);
      runner.configure(peer);
    }
  }

  /** A session with the same addresses whose end is being said. */
  #leaving(peer: WantedPeer): SessionRunner | undefined {
    return [...this.#byDiscriminator.values()].find(
      ({ leaving, peer: { address, localAddress } }) =>
        leaving && address === peer.address && localAddress === peer.localAddress,
    );
  }

  #start(peer: WantedPeer): void {
    const { clock, random, transport, onChange } = this.#options;
    const discriminator = this.#freeDiscriminator();
    const runner = new SessionRunner(peer, {
      clock,
      random,
      transport,
      listeners: this.#listeners,
      discriminator,
      onChange,
      onFinished: () => {
        this.#byDiscriminator.delete(discriminator);
        this.#resolveWhenIdle();
      },
    });
    this.#byPeer.set(peer.address, runner);
    this.#byDiscriminator.set(discriminator, runner);
  }

  /** RFC 5880 section 6.3: nonzero, unique, and (section 9) hard to guess for one who would forge packets. */
  #freeDiscriminator(): number {
    for (;;) {
      const candidate = this.#options.randomBits() >>> 0;
      if (candidate !== 0 && !this.#byDiscriminator.has(candidate)) return candidate;
    }
  }

  #resolveWhenIdle(): void {
    if (this.#byDiscriminator.size === 0) this.#idle?.();
  }

  // Receiving

  /** Counted once, here: by reason, or by the session that takes it. */
  #take(arrival: Arrival): void {
    if (arrival.hopLimit !== undefined && arrival.hopLimit !== HOP_LIMIT) return this.#refuse(arrival, "hop-limit");
    const decoded = decodeControlPacket(arrival.bytes);
    if (!decoded.ok) return this.#refuse(arrival, decoded.reason);
    const chosen = this.#sessionOf(decoded.value, arrival.peer);
    if (typeof chosen === "string") return this.#refuse(arrival, chosen);
    // After the choice of the session, as the RFC has it: only a session could have been set up to authenticate.
    if (decoded.value.authenticationPresent) return this.#refuse(arrival, "authentication");
    if (chosen.session.state === "AdminDown") return this.#refuse(arrival, "session-admin-down");
    chosen.received(decoded.value);
  }

  /** Section 6.3: by our discriminator alone once the peer knows it, by the peer's address before. */
  #sessionOf(packet: ControlPacket, peer: string): SessionRunner | RefusedReason {
    if (packet.yourDiscriminator !== 0) {
      return this.#byDiscriminator.get(packet.yourDiscriminator) ?? "unknown-discriminator";
    }
    if (packet.state !== "Down" && packet.state !== "AdminDown") return "missing-discriminator";
    return this.#byPeer.get(peer) ?? "unknown-peer";
  }

  #refuse(arrival: Arrival, reason: RefusedReason): void {
    this.#refused[reason] += 1;
    this.#byPeer.get(arrival.peer)?.refused(reason);
  }
}
