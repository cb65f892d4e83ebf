import { randomBytes } from "node:crypto";
import { SystemClock } from "@stitch/clock";
import { ConfigError, type SiteDocument } from "@stitch/config";
import {
  createLogger,
  EXIT,
  runService,
  type HealthIdentity,
  type ServiceContext,
  type ServingParts,
} from "@stitch/health";
import { kernelDropsOf } from "@stitch/linux-io";
import { Collector } from "./collector.ts";
import { syslogConfig, type SyslogConfig } from "./config.ts";
import { StoreHealth } from "./health.ts";
import { datagramCounter, registerSocketMetrics, registerStoreMetrics } from "./metrics.ts";
import { REASON } from "./reasons.ts";
import { SelfProbe } from "./self-probe.ts";
import { SyslogServer } from "./server.ts";
import { Store } from "./store/store.ts";
import { warmUp } from "./warm-up.ts";

/** Probes sent through each VIP before serving. */
const WARM_PROBES = 2_000;

/** Runs the collector of a site until SIGTERM; resolves with the exit code. */
export async function main(document: SiteDocument): Promise<number> {
  const identity = { service: "syslog", site: document.site, instance: document.instance };
  const log = createLogger(identity);
  let settings: SyslogConfig;
  try {
    settings = syslogConfig(document);
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    log.fatal(failure.message);
    return EXIT.unusable;
  }
  return runCollector(document, settings, identity, log);
}

function runCollector(
  document: SiteDocument,
  settings: SyslogConfig,
  identity: HealthIdentity,
  log: ServiceContext["log"],
): Promise<number> {
  return runService({
    identity,
    clock: new SystemClock(),
    log,
    listenHealth: settings.health,
    start: (context) => start(document, settings, context),
  });
}

/** Store first, then sockets: nothing is accepted that could not be kept. */
async function start(document: SiteDocument, settings: SyslogConfig, context: ServiceContext): Promise<ServingParts> {
  const { clock, log, registry } = context;
  const storeHealth = new StoreHealth(context.health);
  const store = await openStore(document, settings, context, storeHealth);
  const probe = new SelfProbe(clock, randomBytes(16).toString("hex"));
  const outcomes = datagramCounter(registry);
  const collector = new Collector(store.journal, probe);
  let opened: SyslogServer | undefined;
  try {
    opened = await SyslogServer.open({ listen: settings.listen, clock, log, collector, outcomes });
    await probe.open(opened.sockets.map(({ local }) => local));
  } catch (failure) {
    await opened?.close();
    probe.close();
    await store.close();
    throw failure;
  }
  const server = opened;
  registerSocketMetrics(registry, server.sockets);
  registerStoreMetrics(registry, store);
  storeHealth.watch(clock, store.journal, () => outcomes.counts[REASON.storeFull] ?? 0);
  logSockets(server, log);
  return {
    probe: probe.probe,
    progress: () => outcomes.total + kernelDropsOf(server.sockets),
    warm: async () => {
      await store.proveWritable();
      await warmUp(clock);
      await probe.warm(WARM_PROBES);
    },
    close: async () => {
      await server.close();
      probe.close();
      storeHealth.stop();
      await store.close();
      log.info(
        { writtenBytes: store.journal.counters.writtenBytes, lostRecords: store.journal.counters.lostRecords },
        "store closed",
      );
    },
  };
}

async function openStore(
  document: SiteDocument,
  { store }: SyslogConfig,
  { clock, log }: ServiceContext,
  health: StoreHealth,
): Promise<Store> {
  try {
    return await Store.open({
      ...store,
      clock,
      events: {
        onFailure(failure, inARow) {
          if (inARow === 1) log.error({ err: failure }, "the store cannot be written; records wait in memory");
          health.failed(failure, inARow);
        },
        onRecovery() {
          log.info("the store is written again");
          health.recovered();
        },
        onSpace: (low) => health.space(low),
        onNote: (note) => log.warn(note),
      },
    });
  } catch (failure) {
    throw unusableStore(document, store.path, failure as NodeJS.ErrnoException);
  }
}

/** The operator's to mend, so a sentence and exit code 2. */
function unusableStore(document: SiteDocument, path: string, failure: NodeJS.ErrnoException): ConfigError {
  const why = failure.code === undefined ? failure.message : `${path} cannot be used as a store (${failure.code})`;
  const todo = failure.code === undefined ? "" : "; name a folder that this user may write to";
  return new ConfigError(document.file, [document.problemAt(["syslog", "store", "path"], `${why}${todo}`)]);
}

function logSockets({ sockets }: SyslogServer, log: ServiceContext["log"]): void {
  for (const { local, implementation, lacking, grantedReceiveBuffer } of sockets) {
    log.info({ local, implementation, lacking, grantedReceiveBuffer }, "listening");
    if (!lacking.includes("receive-buffer")) continue;
    log.warn(`receive buffer is ${grantedReceiveBuffer} bytes: raise net.core.rmem_max so that bursts are not lost`);
  }
}
