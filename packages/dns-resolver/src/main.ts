import { seconds, SystemClock, type Duration } from "@stitch/clock";
import { ConfigError, type SiteDocument } from "@stitch/config";
import {
  createLogger,
  EXIT,
  gaugeFrom,
  runService,
  type HealthIdentity,
  type ServiceContext,
  type ServingParts,
} from "@stitch/health";
import { AllowList } from "./allow-list.ts";
import { Cache } from "./cache.ts";
import { dnsConfig, localPath, type DnsSettings } from "./config.ts";
import { openFileLimit, upstreamSockets } from "./descriptors.ts";
import { reportUpstreams } from "./health.ts";
import { loadLocal, type LocalData } from "./local/load-local.ts";
import { queryCounter, registerCacheMetrics, registerServerMetrics } from "./metrics.ts";
import { arrange } from "./places.ts";
import { randomSeed, Resolver } from "./resolver.ts";
import { SelfProbe } from "./self-probe.ts";
import { DnsServer } from "./server.ts";
import { MOST_PER_ROUTE } from "./upstream/forwarder.ts";
import { warmUp } from "./warm-up.ts";

const LOAD_INTERVAL: Duration = seconds(1);

/** Runs the resolver of a site until SIGTERM; resolves with the exit code. */
export async function main(document: SiteDocument): Promise<number> {
  const identity = { service: "dns", site: document.site, instance: document.instance };
  const log = createLogger(identity);
  try {
    const settings = dnsConfig(document);
    const files = (paths: readonly string[]): string[] => paths.map((path) => localPath(document, path));
    const local = loadLocal(files(settings.local.hosts), files(settings.local.zones));
    return await runResolver(settings, local, identity, log);
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    log.fatal(failure.message);
    return EXIT.unusable;
  }
}

function runResolver(
  settings: DnsSettings,
  local: LocalData,
  identity: HealthIdentity,
  log: ServiceContext["log"],
): Promise<number> {
  return runService({
    identity,
    clock: new SystemClock(),
    log,
    listenHealth: settings.health,
    start: (context) => start(settings, local, context),
  });
}

async function start(settings: DnsSettings, local: LocalData, context: ServiceContext): Promise<ServingParts> {
  const { clock, log, health, registry } = context;
  const identity = `${context.identity.site}/${context.identity.instance}`;
  const seed = randomSeed();
  const { size, stale, maxTtl, negativeTtl } = settings.cache;
  const cache = new Cache({ size, staleSeconds: stale / 1_000, seed });
  const { places, suffixes, routes } = arrange(settings, local, clock);
  const resolver = new Resolver({ allow: new AllowList(settings.allow), places, suffixes, cache, seed, identity });
  const outcomes = queryCounter(registry);
  const limit = openFileLimit();
  const server = await DnsServer.open({
    listen: settings.listen,
    clock,
    resolver,
    outcomes,
    forwarding: {
      routes,
      ...(limit === undefined ? {} : { sockets: upstreamSockets(limit, settings.listen.length) }),
      maxTtl: Math.floor(maxTtl / 1_000),
      negativeTtl: Math.floor(negativeTtl / 1_000),
      onChange: () => reportUpstreams(health, routes.values()),
    },
    onFailure: (failure) => log.error({ err: failure }, "the socket or a batch failed"),
  });
  registerCacheMetrics(registry, cache);
  registerServerMetrics(registry, server);
  gaugeFrom(registry, "stitch_dns_local_zones", "Zones and hosts served from files", () => places.length - routes.size);
  const load = clock.every("dns-load", LOAD_INTERVAL, () => (health.load = server.forwarder.load));
  const probe = new SelfProbe(
    clock,
    server.sockets.map((socket) => socket.local),
    identity,
  );
  logStart(server, settings, log);
  if (server.forwarder.perRoute < MOST_PER_ROUTE) {
    log.warn(
      `at most ${limit} open files: each route may ask ${server.forwarder.perRoute} questions at once instead of ${MOST_PER_ROUTE}; raise the limit`,
    );
  }
  return {
    probe: probe.probe,
    progress: () => outcomes.total + server.kernelDrops,
    warm: () => warmUp(identity, seed),
    close: async () => {
      load.cancel();
      await server.close();
    },
  };
}

function logStart({ sockets }: DnsServer, { workers }: DnsSettings, log: ServiceContext["log"]): void {
  for (const { local, implementation, lacking, grantedReceiveBuffer } of sockets) {
    log.info({ local, implementation, lacking, grantedReceiveBuffer }, "listening on UDP and TCP");
    if (!lacking.includes("receive-buffer")) continue;
    log.warn(`receive buffer is ${grantedReceiveBuffer} bytes: raise net.core.rmem_max so that bursts are not lost`);
  }
  if (workers > 1) log.warn(`workers: ${workers} takes effect with native batches only; one works now`);
}
