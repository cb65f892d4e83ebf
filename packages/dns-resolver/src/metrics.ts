import { counterFrom, gaugeFrom, OutcomeCounter, type Registry } from "@stitch/health";
import type { Cache } from "./cache.ts";
import { REASONS, type Reason } from "./reasons.ts";
import type { DatagramSocket } from "@stitch/linux-io";
import type { TcpListener } from "./tcp-listener.ts";
import type { Forwarder } from "./upstream/forwarder.ts";

/** What there is to be read of a server. */
export interface ServerParts {
  readonly forwarder: Forwarder;
  readonly listeners: readonly TcpListener[];
  readonly sockets: readonly DatagramSocket[];
  readonly kernelDrops: number;
}

export function queryCounter(registry: Registry): OutcomeCounter<Reason> {
  return new OutcomeCounter(registry, "stitch_dns_queries_total", "Queries by what became of them", "reason", REASONS);
}

export function registerCacheMetrics(registry: Registry, cache: Cache): void {
  const { counters } = cache;
  gaugeFrom(registry, "stitch_dns_cache_entries", "Answers in the cache", () => cache.entries);
  gaugeFrom(registry, "stitch_dns_cache_bytes", "Bytes of the cache in use", () => cache.usedBytes);
  counterFrom(registry, "stitch_dns_cache_stored_total", "Answers stored", () => counters.stored);
  counterFrom(registry, "stitch_dns_cache_evicted_total", "Answers evicted for want of room", () => counters.evicted);
}

export function registerServerMetrics(registry: Registry, server: ServerParts): void {
  const { forwarder, listeners, sockets } = server;
  const { counters } = forwarder;
  const sum = (read: (listener: (typeof listeners)[number]) => number): number =>
    listeners.reduce((total, listener) => total + read(listener), 0);
  gaugeFrom(registry, "stitch_dns_upstream_in_flight", "Questions on their way upstream", () => forwarder.inFlight);
  counterFrom(registry, "stitch_dns_upstream_exchanges_total", "Questions sent upstream", () => counters.exchanges);
  counterFrom(registry, "stitch_dns_upstream_tcp_total", "Of these, asked again over TCP", () => counters.overTcp);
  counterFrom(registry, "stitch_dns_upstream_timeouts_total", "Not answered in time", () => counters.timeouts);
  counterFrom(registry, "stitch_dns_upstream_unreachable_total", "Refused by the network", () => counters.unreachable);
  counterFrom(registry, "stitch_dns_upstream_useless_total", "SERVFAIL, REFUSED, referrals", () => counters.useless);
  counterFrom(
    registry,
    "stitch_dns_upstream_ignored_total",
    "Datagrams that were not the answer: echoes, forgeries",
    () => counters.ignored,
  );
  counterFrom(registry, "stitch_dns_coalesced_total", "Queries that joined one on its way", () => counters.coalesced);
  gaugeFrom(registry, "stitch_dns_tcp_connections", "Open TCP connections", () => sum((each) => each.connections));
  counterFrom(registry, "stitch_dns_tcp_refused_total", "TCP connections over a limit", () =>
    sum((each) => each.counters.refused),
  );
  counterFrom(registry, "stitch_dns_send_failures_total", "Replies that the system did not take", () =>
    sockets.reduce((total, socket) => total + socket.counters.sendFailures, 0),
  );
  counterFrom(registry, "stitch_dns_kernel_drops_total", "Datagrams that the kernel dropped", () => server.kernelDrops);
}
