import { type Clock, type Duration, milliseconds } from "@stitch/clock";

import {
  type Connection,
  type ConnectionEvents,
  type ConnectTarget,
  type Endpoint,
  type Listening,
  SOCKET_OPTIONS,
  type Transport,
} from "./transport.ts";

type Accept = (connection: Connection) => ConnectionEvents | undefined;

const LATENCY: Duration = milliseconds(1);
const FIRST_EPHEMERAL_PORT = 40_000;

/**
 * A network in memory for tests: everything written arrives one millisecond of the given clock later, in order.
 * `stalled` keeps the kernel from taking data, `cut` loses everything silently, as an unplugged cable does.
 */
export class PipeNetwork implements Transport {
  /** There is no wire on which they could be missed; `target` has what was asked for. */
  readonly settable = SOCKET_OPTIONS;
  /** The last of what was connected to. */
  target: ConnectTarget | undefined;
  /** Nothing written by the side that connected is taken while true. */
  stalled = false;
  /** Everything in both directions is lost while true, connection requests and closes included. */
  cut = false;
  readonly #clock: Clock;
  readonly #listeners = new Map<string, Accept>();
  readonly #held: (() => void)[] = [];
  #resuming = false;
  #nextPort = FIRST_EPHEMERAL_PORT;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connect(target: ConnectTarget, events: ConnectionEvents): Connection {
    this.target = target;
    const local = { address: target.localAddress ?? "127.0.0.1", port: this.#nextPort++ };
    const near = new PipeEnd(this, local, target, true);
    near.events = events;
    this.later(() => this.#open(near));
    return near;
  }

  listen(at: Endpoint, accept: Accept): Promise<Listening> {
    const key = `${at.address} ${at.port}`;
    this.#listeners.set(key, accept);
    const close = (): Promise<void> => {
      this.#listeners.delete(key);
      return Promise.resolve();
    };
    return Promise.resolve({ port: at.port, close });
  }

  /** Lets the kernel take what it refused while stalled. */
  resume(): void {
    this.stalled = false;
    this.#resuming = true;
    for (let deliver = this.#held.shift(); deliver !== undefined; deliver = this.#held.shift()) deliver();
    this.#resuming = false;
  }

  later(deliver: () => void): void {
    this.#clock.after("pipe", LATENCY, () => {
      if (!this.cut) deliver();
    });
  }

  transmit(sender: PipeEnd, deliver: () => void): void {
    // What is written because the kernel takes data again comes behind what it kept.
    if ((this.stalled || this.#resuming) && sender.active) this.#held.push(deliver);
    else deliver();
  }

  #open(near: PipeEnd): void {
    if (near.done) return;
    const accept = this.#listeners.get(`${near.remote.address} ${near.remote.port}`);
    if (accept === undefined) return near.close("connection refused");
    const far = new PipeEnd(this, near.remote, near.local, false);
    near.other = far;
    far.other = near;
    near.events?.opened();
    far.events = accept(far);
    if (far.events === undefined) far.end();
  }
}

class PipeEnd implements Connection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Whether this end opened the connection. */
  readonly active: boolean;
  events: ConnectionEvents | undefined;
  other: PipeEnd | undefined;
  done = false;
  readonly #network: PipeNetwork;

  constructor(network: PipeNetwork, local: Endpoint, remote: Endpoint, active: boolean) {
    this.#network = network;
    this.active = active;
    this.local = local;
    this.remote = remote;
  }

  write(bytes: Uint8Array, taken: () => void): void {
    if (this.done) return;
    this.#network.transmit(this, () => {
      this.#network.later(() => {
        if (this.other?.done === false) this.other.events?.received(bytes);
      });
      taken();
    });
  }

  end(): void {
    this.#network.transmit(this, () => this.destroy());
  }

  destroy(): void {
    this.#network.later(() => this.other?.close("closed by the peer"));
    this.close("closed");
  }

  close(detail: string): void {
    if (this.done) return;
    this.done = true;
    this.events?.closed(detail);
  }
}
