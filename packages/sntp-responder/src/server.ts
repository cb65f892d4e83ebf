import { randomInt } from "node:crypto";
import type { Clock } from "@stitch/clock";
import type { Outcomes } from "@stitch/health";
import { ENDPOINT_BYTES, openDatagramSocket, type Arrivals, type DatagramSocket } from "@stitch/linux-io";
import type { Endpoint, Replies } from "@stitch/linux-io";
import { OWN_PRECISION, type ClockState } from "./host-clock/clock-state.ts";
import { Responder } from "./responder.ts";
import { encodeClientRequest } from "./wire/client.ts";
import { HEADER_BYTES, TRANSMIT_AT } from "./wire/packet.ts";

/** Bytes of a request that are looked at: NTS cookies make requests of about 1 KiB; longer ones are no time requests. */
const LARGEST_REQUEST = 2_048;
/** Datagrams per call: beyond this the first of a batch would wait noticeably for the last. */
const BATCH = 64;
/** Receive buffer, bytes: about a tenth of a second of a full core's requests, at some 800 bytes of kernel memory each. */
const RECEIVE_BUFFER = 4 * 1_024 * 1_024;
/** RFC 5082: lets a client on the same link see that nothing is in between. */
const HOP_LIMIT = 255;
/** Log2 seconds of a kernel receive stamp, which comes in nanoseconds. */
const KERNEL_PRECISION = -30;
/** Batches driven through the decision before the service opens; measured need of the compiler, with a margin. */
const WARM_BATCHES = 400;

export interface ServerOptions {
  readonly listen: readonly Endpoint[];
  /** How many servers share these addresses, this one included. */
  readonly workers: number;
  readonly clock: Clock;
  readonly outcomes: Outcomes;
  /** Called before a batch is decided: the last chance to `serve` another state. */
  readonly beforeBatch: () => void;
  /** Called for a failure of a socket, at most once a second. */
  readonly onFailure: (failure: Error) => void;
}

/** The sockets: one per address, so that a reply leaves from the address that was asked. */
export class Server {
  readonly #options: ServerOptions;
  readonly #sockets: DatagramSocket[] = [];
  #responder: Responder | undefined;

  /** Rejects with a BindError when an address cannot be had; nothing is left open then. */
  static async open(options: ServerOptions): Promise<Server> {
    const server = new Server(options);
    try {
      for (const local of options.listen) server.#sockets.push(await server.#open(local));
    } catch (failure) {
      await server.close();
      throw failure;
    }
    server.#responder = server.#newResponder();
    return server;
  }

  private constructor(options: ServerOptions) {
    this.#options = options;
  }

  get sockets(): readonly DatagramSocket[] {
    return this.#sockets;
  }

  /** Addresses as bound. */
  get locals(): readonly Endpoint[] {
    return this.#sockets.map(({ local }) => local);
  }

  /** What is told of the clock from now on. */
  serve(state: ClockState): void {
    this.#responder?.serve(state);
  }

  /** Drives the hot path on slabs of its own until it is compiled; counts nothing and sends nothing. */
  async warm(): Promise<void> {
    const { arrivals, replies } = syntheticBatch();
    const responder = this.#newResponder();
    for (let i = 0; i < WARM_BATCHES; i += 1) {
      decideBatch(responder, arrivals, replies);
      stampBatch(responder, arrivals, replies, this.#options.clock);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.close()));
  }

  async #open(local: Endpoint): Promise<DatagramSocket> {
    const { clock, onFailure, workers } = this.#options;
    let socketStamps = false;
    const socket = await openDatagramSocket({
      local,
      reusePort: workers > 1,
      clock,
      slotSize: LARGEST_REQUEST,
      replySlotSize: HEADER_BYTES,
      batchSize: BATCH,
      receiveBuffer: RECEIVE_BUFFER,
      receiveTime: true,
      stampAt: TRANSMIT_AT,
      hopLimit: HOP_LIMIT,
      onBatch: (arrivals, replies) => this.#batch(arrivals, replies, socketStamps),
      onFailure,
    });
    socketStamps = !socket.lacking.includes("send-stamp");
    return socket;
  }

  /**
   * Until every socket is open nothing is answered: which addresses are our own is not known yet. The native socket writes
   * the transmit time itself, a few replies at a time, just before the kernel takes them.
   */
  #batch(arrivals: Arrivals, replies: Replies, socketStamps: boolean): void {
    if (this.#responder === undefined) return;
    this.#options.beforeBatch();
    decideBatch(this.#responder, arrivals, replies, this.#options.outcomes);
    if (!socketStamps) stampBatch(this.#responder, arrivals, replies, this.#options.clock);
  }

  #newResponder(): Responder {
    const kernelStamps = this.#sockets.every(({ lacking }) => !lacking.includes("kernel-receive-time"));
    return new Responder({
      own: this.locals,
      receivePrecision: kernelStamps ? KERNEL_PRECISION : OWN_PRECISION,
      transmitPrecision: OWN_PRECISION,
      seed: randomInt(2 ** 32),
    });
  }
}

function decideBatch(responder: Responder, arrivals: Arrivals, replies: Replies, outcomes?: Outcomes): void {
  for (let slot = 0; slot < arrivals.count; slot += 1) {
    const code = responder.decide(arrivals, slot, replies);
    outcomes?.count(code);
  }
}

/** Last thing before the batch is sent: one reading of the clock for all its replies. */
function stampBatch(responder: Responder, arrivals: Arrivals, replies: Replies, clock: Clock): void {
  const micros = clock.wallMicros();
  const seconds = Math.floor(micros / 1_000_000);
  const nanoseconds = (micros - seconds * 1_000_000) * 1_000;
  for (let slot = 0; slot < arrivals.count; slot += 1) {
    if ((replies.lengths[slot] ?? 0) > 0) responder.stampTransmit(replies, slot, seconds, nanoseconds);
  }
}

/** A full batch of ordinary requests from one made-up client. */
function syntheticBatch(): { arrivals: Arrivals; replies: Replies } {
  const arrivals = {
    count: BATCH,
    slotSize: LARGEST_REQUEST,
    bytes: new Uint8Array(BATCH * LARGEST_REQUEST),
    lengths: new Int32Array(BATCH).fill(HEADER_BYTES),
    flags: new Uint8Array(BATCH),
    peers: new Uint8Array(BATCH * ENDPOINT_BYTES).fill(1),
    locals: new Uint8Array(BATCH * ENDPOINT_BYTES),
    hopLimits: new Uint8Array(BATCH),
    receivedSeconds: new Uint32Array(BATCH),
    receivedNanoseconds: new Uint32Array(BATCH),
  };
  const request = encodeClientRequest(new Uint8Array(8));
  for (let slot = 0; slot < BATCH; slot += 1) arrivals.bytes.set(request, slot * LARGEST_REQUEST);
  const replies = {
    slotSize: HEADER_BYTES,
    bytes: new Uint8Array(BATCH * HEADER_BYTES),
    lengths: new Int32Array(BATCH),
  };
  return { arrivals, replies };
}
