import { counterFrom, gaugeFrom, outcomesFrom, type Registry, type WorkerTable } from "@stitch/health";
import { REASONS, type Reason } from "./reasons.ts";
import { RELOADS, type Reloader } from "./reload/reloader.ts";
import { GIVEN, type Giver } from "./sibling/giver.ts";
import type { Figure } from "./worker-contract.ts";

/** Every number but that of loops is the sum of the workers'. */
export function registerMetrics(
  registry: Registry,
  table: WorkerTable<Reason, Figure>,
  reloader: Reloader,
  giver?: Giver,
): void {
  registerOwn(registry, reloader, giver);
  outcomesFrom(registry, "stitch_dns_queries_total", "Queries by what became of them", "reason", REASONS, (code) =>
    table.outcome(code),
  );
  const gauge = (name: string, help: string, figure: Figure): void =>
    gaugeFrom(registry, name, help, () => table.sum(figure));
  const counter = (name: string, help: string, figure: Figure): void =>
    counterFrom(registry, name, help, () => table.sum(figure));
  gauge("stitch_dns_cache_entries", "Answers in the cache", "cacheEntries");
  gauge("stitch_dns_cache_bytes", "Bytes of the cache in use", "cacheBytes");
  counter("stitch_dns_cache_stored_total", "Answers stored", "cacheStored");
  counter("stitch_dns_cache_evicted_total", "Answers evicted for want of room", "cacheEvicted");
  counter("stitch_dns_cache_restored_total", "Answers that the last stop had saved", "cacheRestored");
  counter("stitch_dns_cache_pulled_total", "Answers that a sibling gave at the start", "cachePulled");
  gauge("stitch_dns_upstream_in_flight", "Questions on their way upstream", "upstreamInFlight");
  counter("stitch_dns_upstream_exchanges_total", "Questions sent upstream", "exchanges");
  counter("stitch_dns_upstream_tcp_total", "Of these, asked again over TCP", "overTcp");
  counter("stitch_dns_upstream_timeouts_total", "Not answered in time", "timeouts");
  counter("stitch_dns_upstream_unreachable_total", "Refused by the network", "unreachable");
  counter("stitch_dns_upstream_useless_total", "SERVFAIL, REFUSED, referrals", "useless");
  counter("stitch_dns_upstream_ignored_total", "Datagrams that were not the answer: echoes, forgeries", "ignored");
  counter("stitch_dns_upstream_near_misses_total", "Questions whose UDP was given up for forgeries", "nearMisses");
  counter("stitch_dns_upstream_case_changed_total", "Answers in another case than the question's", "caseChanged");
  counter("stitch_dns_upstream_without_edns_total", "Questions asked again without EDNS", "withoutEdns");
  gaugeFrom(registry, "stitch_dns_upstream_looping", "Upstreams that forward to us what we ask them", () =>
    table.most("looping"),
  );
  counter("stitch_dns_coalesced_total", "Queries that joined one on its way", "coalesced");
  counter("stitch_dns_aliases_crossed_total", "Answers whose alias led into another route", "crossed");
  counter("stitch_dns_hedged_total", "Questions put to a second upstream because the first was slow", "hedged");
  counter("stitch_dns_refreshed_total", "Answers asked for anew before they expired", "refreshed");
  gauge("stitch_dns_tcp_connections", "Open TCP connections", "tcpConnections");
  counter("stitch_dns_tcp_refused_total", "TCP connections over a limit", "tcpRefused");
  counter("stitch_dns_send_failures_total", "Replies that the system did not take", "sendFailures");
  counter("stitch_dns_batches_total", "Times that datagrams were taken from the kernel", "batches");
  counter("stitch_dns_full_batches_total", "Of these, with as many as one call may bring", "fullBatches");
  counter("stitch_dns_query_log_missed_total", "Lines of the query log over its rate", "queryLogMissed");
  counter("stitch_dns_kernel_drops_total", "Datagrams that the kernel dropped", "kernelDrops");
}

/** What the main thread knows by itself. */
function registerOwn(registry: Registry, reloader: Reloader, giver: Giver | undefined): void {
  gaugeFrom(registry, "stitch_dns_local_zones", "Zones and hosts served from files", () => reloader.running.localZones);
  gaugeFrom(
    registry,
    "stitch_dns_policy_names",
    "Names that the policies list",
    () => reloader.running.policies.memory?.names ?? 0,
  );
  gaugeFrom(registry, "stitch_dns_policy_bytes", "Bytes of these, once for all workers", () => {
    const { memory } = reloader.running.policies;
    return memory === undefined ? 0 : memory.slots.byteLength + memory.arena.byteLength;
  });
  outcomesFrom(registry, "stitch_dns_reloads_total", "Reloads by what became of them", "result", RELOADS, (code) => {
    const result = RELOADS[code];
    return result === undefined ? 0 : reloader.counts[result];
  });
  outcomesFrom(registry, "stitch_dns_cache_given_total", "Siblings that asked for answers", "result", GIVEN, (code) => {
    const result = GIVEN[code];
    return result === undefined ? 0 : (giver?.counts[result] ?? 0);
  });
}
