import type { WorkerRow } from "@stitch/health";
import { kernelDropsOf, type DatagramSocket } from "@stitch/linux-io";
import type { Cache } from "./cache.ts";
import type { QueryLogs } from "./query-logs.ts";
import type { TcpListener } from "./tcp-listener.ts";
import type { Forwarder } from "./upstream/forwarder.ts";
import { loopingOf, type Route } from "./upstream/upstream.ts";
import type { Figure } from "./worker-contract.ts";

/** At one beat of the heart in so many all figures are worked out: meanwhile eight cached answers could be given. */
const BEATS_PER_FIGURES = 5;

export interface FiguresOptions {
  readonly row: WorkerRow<Figure>;
  readonly cache: Cache;
  /** What of it counts. */
  readonly server: {
    readonly forwarder: Forwarder;
    readonly listeners: readonly TcpListener[];
    readonly sockets: readonly DatagramSocket[];
  };
  readonly queryLogs: QueryLogs;
  readonly index: number;
}

/** What a worker counts, copied to where the main thread sees it. */
export class Figures {
  readonly #options: FiguresOptions;
  #beats = 0;

  constructor(options: FiguresOptions) {
    this.#options = options;
  }

  /** What the kernel has dropped is a sign of life, as what is answered is: at every beat. The rest has time. */
  beat(routes: Iterable<Route>): void {
    const { row, server, index } = this.#options;
    row.set("kernelDrops", kernelDropsOf(server.sockets, index));
    if (this.#beats % BEATS_PER_FIGURES === 0) this.#all(routes);
    this.#beats += 1;
  }

  #all(routes: Iterable<Route>): void {
    const { row, cache, server, queryLogs } = this.#options;
    const { forwarder, listeners, sockets } = server;
    row.set("cacheEntries", cache.entries);
    row.set("cacheBytes", cache.usedBytes);
    row.set("cacheStored", cache.counters.stored);
    row.set("cacheEvicted", cache.counters.evicted);
    row.set("upstreamInFlight", forwarder.inFlight);
    for (const [name, count] of Object.entries(forwarder.counters))
      row.set(name as keyof typeof forwarder.counters, count);
    row.set(
      "tcpConnections",
      sumOf(listeners, ({ connections }) => connections),
    );
    row.set(
      "tcpRefused",
      sumOf(listeners, ({ counters }) => counters.refused),
    );
    row.set(
      "sendFailures",
      sumOf(sockets, ({ counters }) => counters.sendFailures),
    );
    row.set(
      "batches",
      sumOf(sockets, ({ counters }) => counters.batches),
    );
    row.set(
      "fullBatches",
      sumOf(sockets, ({ counters }) => counters.fullBatches),
    );
    row.set("looping", loopingOf(routes));
    row.set("load", forwarder.load);
    row.set("queryLogMissed", queryLogs.missed);
  }
}

function sumOf<T>(all: readonly T[], read: (each: T) => number): number {
  return all.reduce((sum, each) => sum + read(each), 0);
}
