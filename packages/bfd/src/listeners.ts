import type { Arrival, Listener, Transport } from "./transport.ts";

interface Shared {
  readonly opening: Promise<Listener>;
  users: number;
}

/** One listening socket per local address, shared by the sessions that speak from it. */
export class Listeners {
  readonly #transport: Transport;
  readonly #take: (arrival: Arrival) => void;
  readonly #shared = new Map<string, Shared>();
  /** Sockets that are being closed: their addresses can be bound when that is over. */
  readonly #closing = new Map<string, Promise<void>>();
  /** Datagrams so far, whoever sent them. */
  arrived = 0;

  constructor(transport: Transport, take: (arrival: Arrival) => void) {
    this.#transport = transport;
    this.#take = (arrival) => {
      this.arrived += 1;
      take(arrival);
    };
  }

  /** The listener's `close` gives back this user's share. */
  async acquire(local: string): Promise<Listener> {
    const shared = this.#shared.get(local) ?? this.#open(local);
    shared.users += 1;
    try {
      await shared.opening;
    } catch (failure) {
      this.#release(local, shared);
      throw failure;
    }
    let held = true;
    return {
      close: async () => {
        if (held && this.#release(local, shared)) await this.#close(local, shared);
        held = false;
      },
    };
  }

  #open(local: string): Shared {
    const free = this.#closing.get(local) ?? Promise.resolve();
    const shared = { users: 0, opening: free.then(() => this.#transport.listen(local, this.#take)) };
    this.#shared.set(local, shared);
    return shared;
  }

  /** Answers whether that was the last user. */
  #release(local: string, shared: Shared): boolean {
    shared.users -= 1;
    if (shared.users > 0) return false;
    if (this.#shared.get(local) === shared) this.#shared.delete(local);
    return true;
  }

  async #close(local: string, shared: Shared): Promise<void> {
    const closed = shared.opening.then((listener) => listener.close());
    this.#closing.set(local, closed);
    await closed;
    if (this.#closing.get(local) === closed) this.#closing.delete(local);
  }
}
