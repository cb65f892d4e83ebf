import { type Duration, milliseconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";

import { BfdEngine } from "../src/engine.ts";
import { type BfdPeer, wantedPeers } from "../src/peer.ts";
import type { BfdChange, BfdStatus } from "../src/status.ts";
import { type ControlPacket, encodeControlPacket } from "../src/wire/index.ts";
import { Air, type Heard } from "./air.ts";

export const A = "192.0.2.1";
export const B = "192.0.2.2";

/** A host of the link, with its engine. */
export class Host {
  readonly address: string;
  readonly changes: BfdChange[] = [];
  readonly engine: BfdEngine;
  #discriminator: number;

  constructor(air: Air, clock: FakeClock, address: string, discriminator: number, random: () => number) {
    this.address = address;
    this.#discriminator = discriminator;
    this.engine = new BfdEngine({
      clock,
      random,
      randomBits: () => this.#discriminator++,
      transport: air.host(address),
      onChange: (change) => this.changes.push(change),
    });
  }

  want(...peers: BfdPeer[]): void {
    this.engine.set(wantedPeers(peers));
  }

  get story(): string[] {
    return this.changes.map(({ from, to, reason }) => `${from} -> ${to} (${reason})`);
  }

  get session(): BfdStatus {
    const [first] = this.engine.sessions;
    if (first === undefined) throw new Error("no session");
    return first;
  }
}

/** Two hosts on a link, or one host and a peer that the test plays itself. */
export class Bench {
  readonly clock = new FakeClock();
  readonly air = new Air(this.clock);
  readonly a: Host;
  readonly b: Host;
  /** Jitter; 1: none. */
  random = 1;

  constructor() {
    this.a = new Host(this.air, this.clock, A, 0xa0, () => this.random);
    this.b = new Host(this.air, this.clock, B, 0xb0, () => this.random);
  }

  async run(by: number): Promise<void> {
    await this.clock.run(milliseconds(by), milliseconds(1));
  }

  async bothUp(interval: Duration = milliseconds(300), multiplier = 3): Promise<void> {
    this.a.want({ address: B, interval, multiplier });
    this.b.want({ address: A, interval, multiplier });
    await this.run(3_000);
    if (this.a.session.state !== "Up" || this.b.session.state !== "Up") throw new Error("not up");
  }

  /** What A has sent since `since`. */
  fromA(since = 0): Heard[] {
    return this.air.heard.filter(({ from, at }) => from === A && at >= since);
  }

  /** A packet to A, as B's unless said otherwise. */
  say(changes: Partial<ControlPacket> = {}, from = B, hopLimit: number | undefined = 255): void {
    const bytes = encodeControlPacket({
      diagnostic: 0,
      state: "Down",
      poll: false,
      final: false,
      detectMultiplier: 3,
      myDiscriminator: 0xbeef,
      yourDiscriminator: 0,
      desiredMinTx: 300_000,
      requiredMinRx: 300_000,
      ...changes,
    });
    if (changes.demand === true) bytes[1] = (bytes[1] ?? 0) | 0x02;
    this.air.deliver(A, { peer: from, hopLimit, bytes });
  }

  /** A is Up with a peer that the test plays; polls are answered, nothing is pending. */
  async upWithPlayed(interval = 300, multiplier = 3): Promise<void> {
    this.a.want({ address: B, interval: milliseconds(interval), multiplier });
    await this.run(5);
    this.say();
    this.say({ state: "Init", yourDiscriminator: 0xa0 });
    this.say({ state: "Up", yourDiscriminator: 0xa0, final: true });
    if (this.a.session.state !== "Up" || this.a.session.polling) throw new Error("not up");
  }
}
