import { type Clock, type Duration, milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { expect } from "vitest";

import { BgpSession, type PeerOptions, type SessionEvent, type SessionOptions } from "../src/index.ts";
import { PipeNetwork } from "../src/pipe-transport.ts";
import type { Connection } from "../src/transport.ts";
import {
  decodeNotification,
  encodeKeepalive,
  encodeMessage,
  encodeOpen,
  type Framed,
  Framer,
  type Sender,
} from "../src/wire/index.ts";

export const LOCAL = { asn: 65101, routerId: "10.1.0.10" } as const;
export const ROUTER = { asn: 65001, routerId: "10.1.0.1" } as const;
/** Speakers in our AS that know AS numbers of four octets, and in another AS that know them or do not. */
export const INTERNAL: Sender = { fourOctet: true, internal: true };
export const MODERN: Sender = { fourOctet: true, internal: false };
export const TWO_OCTET: Sender = { fourOctet: false, internal: false };
const ROUTER_ADDRESS = "127.0.0.2";

export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll(/[^0-9a-f]/g, "").match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A router played by the test: it says what the test says, and keeps what it heard. */
export class WirePeer {
  readonly heard: Framed[] = [];
  connections = 0;
  open = false;
  #connection: Connection | undefined;

  constructor(network: PipeNetwork, address = ROUTER_ADDRESS) {
    void network.listen({ address, port: 179 }, (connection) => {
      const framer = new Framer();
      this.#connection = connection;
      this.connections += 1;
      this.open = true;
      return {
        opened: () => {},
        received: (bytes) => {
          for (const framed of framer.push(bytes)) if (framed.ok) this.heard.push(framed.value);
        },
        closed: () => {
          if (this.#connection === connection) this.open = false;
        },
      };
    });
  }

  say(bytes: Uint8Array): void {
    this.#connection?.write(bytes, () => {});
  }

  sayOpen(changes: Partial<Parameters<typeof encodeOpen>[0]> = {}): void {
    this.say(encodeOpen({ ...ROUTER, holdTime: 9, families: ["ipv4"], ...changes }));
  }

  sayKeepalive(): void {
    this.say(encodeKeepalive());
  }

  notify(code: number, subcode: number): void {
    this.say(encodeMessage("notification", Uint8Array.of(code, subcode)));
  }

  close(): void {
    this.#connection?.end();
  }

  /** Types of what was heard, e.g. `open keepalive update`. */
  get types(): string {
    return this.heard.map((framed) => framed.type).join(" ");
  }

  /** The last NOTIFICATION heard, as `6/2`, with its data in hex where there is some. */
  get lastNotification(): string | undefined {
    const framed = this.heard.findLast((message) => message.type === "notification");
    const read = framed === undefined ? undefined : decodeNotification(framed.body);
    if (read?.ok !== true) return undefined;
    const { code, subcode, data } = read.value;
    return `${code}/${subcode}${data.length === 0 ? "" : ` ${toHex(data)}`}`;
  }
}

export class Bench {
  readonly clock = new FakeClock();
  readonly network = new PipeNetwork(this.clock);
  readonly router = new WirePeer(this.network);
  readonly events: SessionEvent[] = [];
  readonly session: BgpSession;

  constructor(peer: Partial<PeerOptions> = {}, options: Partial<SessionOptions> = {}) {
    this.session = new BgpSession({
      peer: { address: ROUTER_ADDRESS, asn: ROUTER.asn, ...peer },
      local: LOCAL,
      clock: this.clock,
      transport: this.network,
      random: () => 0.5,
      onEvent: (event) => this.events.push(event),
      ...options,
    });
  }

  /** Long enough for every message under way to arrive and be answered. */
  settle(): void {
    this.clock.advance(milliseconds(10));
  }

  advance(by: Duration): void {
    this.clock.advance(by);
  }

  toOpenSent(): void {
    this.session.start();
    this.settle();
    expect(this.session.state).toBe("OpenSent");
  }

  toOpenConfirm(): void {
    this.toOpenSent();
    this.router.sayOpen();
    this.settle();
    expect(this.session.state).toBe("OpenConfirm");
  }

  toEstablished(): void {
    this.toOpenConfirm();
    this.router.sayKeepalive();
    this.settle();
    expect(this.session.state).toBe("Established");
  }

  /** Time goes by with a router that keeps the session alive. */
  live(by: Duration): void {
    for (let left: number = by; left > 0; left -= 1_000) {
      this.router.sayKeepalive();
      this.advance(milliseconds(Math.min(1_000, left)));
    }
  }

  /** Transitions so far, one a line: `Idle -> Connect (started)`. */
  get story(): string[] {
    return this.events.flatMap((event) =>
      event.kind === "state" ? [`${event.from} -> ${event.to} (${event.reason})`] : [],
    );
  }

  of<K extends SessionEvent["kind"]>(kind: K): Extract<SessionEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<SessionEvent, { kind: K }> => event.kind === kind);
  }
}

export function holdTimes(clock: Clock, since: number): number {
  return (clock.now() - since) / seconds(1);
}
