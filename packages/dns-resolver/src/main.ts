import { seconds, SystemClock, type Duration } from "@stitch/clock";
import { ConfigError, type SiteDocument } from "@stitch/config";
import {
  createLogger,
  EXIT,
  runService,
  WorkerGroup,
  workersHere,
  type ServiceContext,
  type ServingParts,
} from "@stitch/health";
import { claimed } from "./claim.ts";
import { dnsConfig, localPath, type DnsSettings } from "./config.ts";
import { openFileLimit, upstreamSockets } from "./descriptors.ts";
import { UpstreamHealth } from "./health.ts";
import { readCookieSecret } from "./local/cookie-secret.ts";
import { loadLocal } from "./local/load-local.ts";
import { registerMetrics } from "./metrics.ts";
import { SelfProbe } from "./self-probe.ts";
import { mostPerRoute } from "./upstream/forwarder.ts";
import { WORKER_LAYOUT, type DnsWorkers, type WorkerSettings } from "./worker-contract.ts";

const WORKER = new URL("./worker.ts", import.meta.url);
const LOAD_INTERVAL: Duration = seconds(1);

/** What is served: the settings, and the files with local data, found to be good. */
interface Served {
  readonly settings: DnsSettings;
  readonly hosts: readonly string[];
  readonly zones: readonly string[];
  readonly localZones: number;
  readonly cookieSecrets: readonly Uint8Array[];
}

/**
 * Runs the resolver of a site until SIGTERM; resolves with the exit code. `worker` is the module that serves, in as many
 * threads as the settings say.
 */
export async function main(document: SiteDocument, worker: URL = WORKER): Promise<number> {
  const identity = { service: "dns", site: document.site, instance: document.instance };
  const log = createLogger(identity);
  try {
    const served = read(document);
    return await runService({
      identity,
      clock: new SystemClock(),
      log,
      listenHealth: served.settings.health,
      start: (context) => start(served, worker, context),
    });
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    log.fatal(failure.message);
    return EXIT.unusable;
  }
}

/** The workers read the local data again, each for itself; here it is checked. */
function read(document: SiteDocument): Served {
  const settings = dnsConfig(document);
  const files = (paths: readonly string[]): string[] => paths.map((path) => localPath(document, path));
  const [hosts, zones] = [files(settings.local.hosts), files(settings.local.zones)];
  const local = loadLocal(hosts, zones);
  const cookieSecrets = files(settings.cookies.secrets).map(readCookieSecret);
  return { settings, hosts, zones, localZones: local.zones.length + local.hosts.length, cookieSecrets };
}

async function start(served: Served, module: URL, context: ServiceContext): Promise<ServingParts> {
  const { clock, health, registry } = context;
  const { settings, hosts, zones, localZones, cookieSecrets } = served;
  const workers = workersHere(settings.workers, context.log);
  const listen = await claimed(settings.listen, clock);
  const upstreams = new UpstreamHealth(health);
  const sockets = upstreamSockets(openFileLimit(), listen.length, workers);
  const group = await WorkerGroup.open<DnsWorkers>({
    module,
    workers,
    layout: WORKER_LAYOUT,
    settings: { dns: settings, listen, hosts, zones, cookieSecrets, sockets } satisfies WorkerSettings,
    context,
    onMessage: ({ deadZones }, worker) => upstreams.report(deadZones, worker),
  });
  const { table } = group;
  registerMetrics(registry, table, localZones);
  const load = clock.every("dns-load", LOAD_INTERVAL, () => (health.load = table.most("load")));
  const probe = new SelfProbe(clock, listen, `${context.identity.site}/${context.identity.instance}`);
  logStart(group, workers, context.log);
  return {
    probe: probe.probe,
    progress: () => table.rows.map((row) => row.total + row.get("kernelDrops")),
    warm: async () => {}, // the workers are, or they would not be ready
    close: async () => {
      load.cancel();
      await group.close();
    },
  };
}

function logStart({ ready }: WorkerGroup<DnsWorkers>, workers: number, log: ServiceContext["log"]): void {
  const [first] = ready;
  for (const { local, implementation, lacking, grantedReceiveBuffer } of first?.sockets ?? []) {
    log.info({ local, implementation, lacking, grantedReceiveBuffer, workers }, "listening on UDP and TCP");
    if (!lacking.includes("receive-buffer")) continue;
    log.warn(`receive buffer is ${grantedReceiveBuffer} bytes: raise net.core.rmem_max so that bursts are not lost`);
  }
  const perRoute = first?.perRoute ?? 0;
  const most = mostPerRoute(workers);
  if (perRoute >= most) return;
  log.warn(
    `at most ${openFileLimit()} open files: each route may ask ${perRoute * workers} questions at once instead of ${most * workers}; raise the limit`,
  );
}
