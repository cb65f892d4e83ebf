import { elapsed, minutes, type Clock, type Duration, type Instant } from "@stitch/clock";
import type { Logger, OutcomeCounter } from "@stitch/health";
import { openDatagramSocket, type Arrivals, type DatagramSocket, type Endpoint } from "@stitch/linux-io";
import type { Collector } from "./collector.ts";
import type { Reason } from "./reasons.ts";

/** The largest UDP payload fits (65,507 bytes over IPv4, 65,527 over IPv6): nothing is cut. */
export const SLOT_BYTES = 65_536;
const BATCH = 128;
/** A second of a flood of 40,000 messages; the kernel grants what net.core.rmem_max allows. */
const RECEIVE_BUFFER = 16 << 20;
/** Failures that strangers might provoke are logged at most this often. */
const LOG_INTERVAL: Duration = minutes(1);

export interface ServerOptions {
  readonly listen: readonly Endpoint[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly collector: Collector;
  readonly outcomes: OutcomeCounter<Reason>;
}

/** The sockets of the collector: hands every datagram over once and counts what became of it. */
export class SyslogServer {
  readonly sockets: readonly DatagramSocket[];

  /** Rejects with a BindError, with nothing left open. */
  static async open(options: ServerOptions): Promise<SyslogServer> {
    const sockets: DatagramSocket[] = [];
    try {
      for (const local of options.listen) sockets.push(await openSocket(local, options));
    } catch (failure) {
      await Promise.all(sockets.map((socket) => socket.close()));
      throw failure;
    }
    return new SyslogServer(sockets);
  }

  private constructor(sockets: readonly DatagramSocket[]) {
    this.sockets = sockets;
  }

  async close(): Promise<void> {
    await Promise.all(this.sockets.map((socket) => socket.close()));
  }
}

function openSocket(local: Endpoint, options: ServerOptions): Promise<DatagramSocket> {
  const { clock, collector, outcomes } = options;
  return openDatagramSocket({
    local,
    clock,
    slotSize: SLOT_BYTES,
    replySlotSize: 0,
    batchSize: BATCH,
    receiveBuffer: RECEIVE_BUFFER,
    receiveTime: true,
    onBatch(arrivals: Arrivals) {
      for (let slot = 0; slot < arrivals.count; slot += 1) outcomes.count(collector.collect(arrivals, slot));
    },
    onFailure: failureLog(options),
  });
}

function failureLog({ clock, log }: ServerOptions): (failure: Error) => void {
  let last: Instant | undefined;
  return (failure) => {
    const now = clock.now();
    if (last !== undefined && elapsed(last, now) < LOG_INTERVAL) return;
    last = now;
    log.error({ err: failure }, "socket failure; further ones within a minute are not logged");
  };
}
