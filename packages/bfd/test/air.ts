import { type Clock, type Duration, milliseconds } from "@stitch/clock";

import { TransportError } from "../src/transport-error.ts";
import type { Arrival, Listener, Sender, Transport } from "../src/transport.ts";
import { type ControlPacket, decodeControlPacket } from "../src/wire/index.ts";

export interface Heard {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly packet: ControlPacket;
}

/** A link in memory: packets take a millisecond, and can be lost by direction, cut, or left unread for a while. */
export class Air {
  readonly latency: Duration = milliseconds(1);
  /** Everything that was sent, lost or not. */
  readonly heard: Heard[] = [];
  /** `a>b`: lost on this way. */
  readonly cut = new Set<string>();
  hopLimit: number | undefined = 255;
  /** Runs at each reading that an engine asks for: a flood that goes on. */
  onReading: () => void = () => undefined;
  /** Addresses that cannot be bound now. */
  readonly unbindable = new Set<string>();
  readonly #clock: Clock;
  readonly #listening = new Map<string, (arrival: Arrival) => void>();
  readonly #unread = new Map<string, Arrival[]>();
  #nextPort = 49_152;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get listening(): readonly string[] {
    return [...this.#listening.keys()].toSorted();
  }

  /** The host stops reading: what arrives waits, and is read only when its engine asks (`afterReading`) or by `resume`. */
  stall(address: string): void {
    this.#unread.set(address, []);
  }

  resume(address: string): void {
    const waiting = this.#unread.get(address) ?? [];
    this.#unread.delete(address);
    for (const arrival of waiting) this.#listening.get(address)?.(arrival);
  }

  host(source: string): Transport {
    return {
      listen: (local, take) => this.#listen(local, take),
      sender: (local, peer) => Promise.resolve(this.#sender(local, peer)),
      sourceFor: () => Promise.resolve(source),
      afterReading: (done) => {
        this.resume(source);
        this.onReading();
        done();
      },
    };
  }

  deliver(to: string, arrival: Arrival): void {
    const unread = this.#unread.get(to);
    if (unread === undefined) this.#listening.get(to)?.(arrival);
    else unread.push(arrival);
  }

  #listen(local: string, take: (arrival: Arrival) => void): Promise<Listener> {
    if (this.unbindable.has(local) || this.#listening.has(local)) {
      return Promise.reject(new TransportError("cannot-bind", `cannot bind ${local}`));
    }
    this.#listening.set(local, take);
    return Promise.resolve({
      close: () => {
        this.#listening.delete(local);
        return Promise.resolve();
      },
    });
  }

  #sender(local: string, peer: string): Sender {
    const port = this.#nextPort++;
    return {
      local: { address: local, port },
      failures: 0,
      send: (bytes) => this.#send(local, peer, port, bytes.slice()),
      close: () => Promise.resolve(),
    };
  }

  #send(from: string, to: string, port: number, bytes: Uint8Array): void {
    const read = decodeControlPacket(bytes);
    if (!read.ok) throw new Error(`we send what we would refuse: ${read.reason}`);
    this.heard.push({ at: this.#clock.now(), from, to, port, packet: read.value });
    if (this.cut.has(`${from}>${to}`)) return;
    const { hopLimit } = this;
    this.#clock.after("air", this.latency, () => this.deliver(to, { peer: from, hopLimit, bytes }));
  }
}
