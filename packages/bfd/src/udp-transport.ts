import { createSocket } from "node:dgram";
import { randomInt } from "node:crypto";

import type { Clock } from "@stitch/clock";
import {
  type Arrivals,
  BindError,
  type DatagramSocket,
  type DatagramSocketOptions,
  ENDPOINT_BYTES,
  loadNative,
  openDatagramSocket,
  readEndpoint,
  writeEndpoint,
} from "@stitch/linux-io";

import { TransportError } from "./transport-error.ts";
import type { Arrival, Listener, Sender, Transport } from "./transport.ts";

/** RFC 5881 section 4 */
export const BFD_PORT = 3784;
const FIRST_SOURCE_PORT = 49_152;
const LAST_SOURCE_PORT = 65_535;
/** Source ports tried before giving up for now; that so many in a row are taken is no accident. */
const SOURCE_PORT_TRIES = 20;
const HOP_LIMIT = 255;
/** CS6, network control: what a congested switch drops last. */
const TRAFFIC_CLASS = 192;
/** A control packet with the longest authentication section of RFC 5880 has 52 octets. */
const SLOT_BYTES = 64;
const BATCH = 64;
/** Octets; a burst of strangers' datagrams is read and refused while the peers' packets wait behind it. */
const RECEIVE_BUFFER = 256 * 1_024;

export interface UdpOptions {
  readonly clock: Clock;
  /** Where we listen. */
  readonly port: number;
  /** Where the peers listen. */
  readonly peerPort: number;
  /**
   * For tests on machines whose sockets do not say the hop limit of what they receive: takes packets from beyond a
   * router, which anybody can forge.
   */
  readonly unsafeWithoutHopLimit: boolean;
}

/** UDP by linux-io. */
export class UdpTransport implements Transport {
  readonly #options: UdpOptions;

  constructor(options: UdpOptions) {
    this.#options = options;
  }

  async listen(local: string, take: (arrival: Arrival) => void): Promise<Listener> {
    let hopLimitKnown: boolean | undefined;
    const socket = await this.#open(local, this.#options.port, (arrivals) => {
      if (hopLimitKnown === undefined) return;
      for (let slot = 0; slot < arrivals.count; slot += 1) {
        const arrival = arrivalOf(arrivals, slot, hopLimitKnown);
        if (arrival !== undefined) take(arrival);
      }
    });
    hopLimitKnown = !socket.lacking.includes("hop-limit");
    if (hopLimitKnown || this.#options.unsafeWithoutHopLimit) return socket;
    await socket.close();
    throw new TransportError(
      "hop-limit-unknown",
      "this machine's sockets do not tell the hop limit of what they receive, so a packet forged from afar could pass " +
        `for the router's: ${whyUnknown()}`,
    );
  }

  async sender(local: string, peer: string): Promise<Sender> {
    const socket = await this.#openSource(local);
    const to = new Uint8Array(ENDPOINT_BYTES);
    const from = new Uint8Array(ENDPOINT_BYTES);
    writeEndpoint({ address: peer, port: this.#options.peerPort }, to, 0);
    writeEndpoint(socket.local, from, 0);
    return {
      local: socket.local,
      send: (bytes) => socket.send(to, 0, from, 0, bytes),
      get failures() {
        return socket.counters.sendFailures;
      },
      close: () => socket.close(),
    };
  }

  /** Connecting a datagram socket sends nothing: the system looks up the route and fills in the source. */
  sourceFor(peer: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = createSocket(peer.includes(":") ? "udp6" : "udp4");
      const refused = (cause: Error): void => {
        socket.close();
        reject(new TransportError("no-route", `no route to BFD peer ${peer} (${cause.message})`, { cause }));
      };
      // A failure comes to the callback alone, and not as an event.
      socket.connect(this.#options.peerPort, peer, (failure?: Error) => {
        if (failure !== undefined) return refused(failure);
        const { address } = socket.address();
        socket.close();
        resolve(address);
      });
    });
  }

  /**
   * Timers -> reading -> immediates is the order of the event loop's turn. The first immediate follows the reading, the
   * second what the reading has put off to an immediate of its own (batches of node:dgram).
   */
  afterReading(done: () => void): void {
    setImmediate(() => setImmediate(done));
  }

  /** RFC 5881 section 4: from the dynamic range, the same for the life of the session, and no other session's. */
  async #openSource(local: string): Promise<DatagramSocket> {
    for (let left = SOURCE_PORT_TRIES; ; left -= 1) {
      const port = randomInt(FIRST_SOURCE_PORT, LAST_SOURCE_PORT + 1);
      try {
        return await this.#open(local, port, () => undefined);
      } catch (failure) {
        const taken = failure instanceof TransportError && (failure.cause as BindError).code === "EADDRINUSE";
        if (!taken || left <= 1) throw failure;
      }
    }
  }

  async #open(address: string, port: number, onBatch: DatagramSocketOptions["onBatch"]): Promise<DatagramSocket> {
    try {
      return await openDatagramSocket({
        local: { address, port },
        clock: this.#options.clock,
        slotSize: SLOT_BYTES,
        replySlotSize: SLOT_BYTES,
        batchSize: BATCH,
        receiveBuffer: RECEIVE_BUFFER,
        hopLimit: HOP_LIMIT,
        receiveHopLimit: true,
        trafficClass: TRAFFIC_CLASS,
        onBatch,
        // A failed send is counted by the socket; silence is what the session notices, and it is there for that.
        onFailure: () => undefined,
      });
    } catch (cause) {
      if (!(cause instanceof BindError)) throw cause;
      throw new TransportError("cannot-bind", cause.message, { cause });
    }
  }
}

function arrivalOf(arrivals: Arrivals, slot: number, hopLimitKnown: boolean): Arrival | undefined {
  const peer = readEndpoint(arrivals.peers, slot * ENDPOINT_BYTES);
  if (peer === undefined) return undefined;
  const start = slot * arrivals.slotSize;
  return {
    peer: peer.address,
    hopLimit: hopLimitKnown ? (arrivals.hopLimits[slot] ?? 0) : undefined,
    bytes: arrivals.bytes.subarray(start, start + (arrivals.lengths[slot] ?? 0)),
  };
}

function whyUnknown(): string {
  const load = loadNative();
  return load.native === undefined ? load.why : "the system does not tell it";
}
