import { Outcomes, runWorker, type WorkerContext, type WorkerParts, type WorkerRow } from "@stitch/health";
import { AllowList } from "./allow-list.ts";
import { Cache } from "./cache.ts";
import { ClientBudget } from "./client-budget.ts";
import { Cookies } from "./cookies.ts";
import { deadZones } from "./health.ts";
import { loadLocal } from "./local/load-local.ts";
import { arrange } from "./places.ts";
import { randomSeed, Resolver } from "./resolver.ts";
import { DnsServer } from "./server.ts";
import { warmUp } from "./warm-up.ts";
import type { DnsWorkers, Figure } from "./worker-contract.ts";

/**
 * A resolver of its own in a thread of its own: sockets, cache, upstreams, sharing nothing on the path of a query but the
 * addresses. Everything that is bounded for the process is shared out among the workers.
 */
async function startWorker(context: WorkerContext<DnsWorkers>): Promise<WorkerParts<DnsWorkers>> {
  const { clock, log, row, settings, tell, workers } = context;
  const { size, stale, maxTtl, negativeTtl } = settings.dns.cache;
  const identity = `${context.site}/${context.instance}`;
  const seed = randomSeed();
  const cache = new Cache({ size: Math.floor(size / workers), staleSeconds: stale / 1_000, seed });
  const { places, suffixes, routes } = arrange(settings.dns, loadLocal(settings.hosts, settings.zones), clock);
  const allow = new AllowList(settings.dns.allow);
  const cookies = new Cookies(settings.cookieSecrets);
  const wallSeconds = (): number => Math.floor(clock.wallMicros() / 1e6);
  const { perNetwork, slip, exempt } = settings.dns.limit;
  const budget = new ClientBudget({ perSecond: perNetwork / workers, slip, exempt, seed });
  const server = await DnsServer.open({
    listen: settings.listen,
    workers,
    clock,
    resolver: new Resolver({ allow, budget, cookies, wallSeconds, places, suffixes, cache, seed, identity }),
    outcomes: new Outcomes(row.outcomes),
    forwarding: {
      routes,
      sockets: settings.sockets,
      maxTtl: Math.floor(maxTtl / 1_000),
      negativeTtl: Math.floor(negativeTtl / 1_000),
      onChange: () => tell({ deadZones: deadZones(routes.values()) }),
    },
    onFailure: (failure) => log.error({ err: failure }, "the socket or a batch failed"),
  });
  await warmUp(identity, seed);
  const sockets = server.sockets.map(({ local, implementation, lacking, grantedReceiveBuffer }) => {
    return { local, implementation, lacking, grantedReceiveBuffer };
  });
  return {
    ready: { sockets, perRoute: server.forwarder.perRoute },
    publish: () => publish(row, cache, server, context.index),
    hear: () => {},
    close: () => server.close(),
  };
}

function publish(row: WorkerRow<Figure>, cache: Cache, server: DnsServer, index: number): void {
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
  row.set("kernelDrops", server.kernelDropsOf(index));
  row.set("load", forwarder.load);
}

function sumOf<T>(all: readonly T[], read: (each: T) => number): number {
  return all.reduce((sum, each) => sum + read(each), 0);
}

await runWorker(startWorker);
