import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
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
import type { Endpoint } from "@stitch/linux-io";
import { claimed, claimedTcp } from "./claim.ts";
import { localPath, type DnsSettings } from "./config.ts";
import { openControl } from "./control.ts";
import { openFileLimit, upstreamSockets } from "./descriptors.ts";
import { UpstreamHealth } from "./health.ts";
import { registerMetrics } from "./metrics.ts";
import { Adoptions } from "./reload/adoptions.ts";
import { randomSeed } from "./random-seed.ts";
import { Reloader } from "./reload/reloader.ts";
import { ReloadWishes } from "./reload/wishes.ts";
import { SelfProbe } from "./self-probe.ts";
import { Giver } from "./sibling/giver.ts";
import { WarmStart } from "./sibling/warm-start.ts";
import { readServed, tellUnread, type Served } from "./served.ts";
import { atOnce } from "./sliced.ts";
import { TOKEN_KEY } from "./upstream/loop-tokens.ts";
import { mostPerRoute } from "./upstream/shares.ts";
import { WORKER_LAYOUT, type DnsWorkers, type WorkerSettings } from "./worker-contract.ts";

const WORKER = new URL("./worker.ts", import.meta.url);
/**
 * What lives as long as a question dies young; but where many are on their way while the collector looks, V8 takes it for
 * lasting and makes it in old memory from then on. What is dead there keeps all that it points to alive, and every young
 * collection copies that: in one of some five starts 15 ms each time, at 9,500 questions a second (measured).
 */
const COLLECTOR = "--no-allocation-site-pretenuring";
const LOAD_INTERVAL: Duration = seconds(1);

/**
 * Runs the resolver of a site until SIGTERM; resolves with the exit code. `worker` is the module that serves, in as many
 * threads as the settings say.
 */
export async function main(document: SiteDocument, worker: URL = WORKER): Promise<number> {
  const identity = { service: "dns", site: document.site, instance: document.instance };
  const log = createLogger(identity);
  const reloads = new ReloadWishes();
  process.on("SIGHUP", reloads.wished);
  const clock = new SystemClock();
  try {
    const seed = randomSeed();
    const served = atOnce(readServed(document, seed));
    tellUnread(served, log);
    const giver = served.siblingSecret === undefined ? undefined : new Giver(served.siblingSecret, clock);
    return await runService({
      identity,
      clock,
      log,
      listenHealth: served.dns.health,
      paths: giver?.paths,
      start: (context) => start({ document, served, seed, module: worker, reloads, giver }, context),
    });
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    log.fatal(failure.message);
    return EXIT.unusable;
  } finally {
    process.off("SIGHUP", reloads.wished);
  }
}

interface Start {
  readonly document: SiteDocument;
  readonly served: Served;
  readonly seed: number;
  readonly module: URL;
  readonly reloads: ReloadWishes;
  readonly giver: Giver | undefined;
}

async function start(
  { document, served, seed, module, reloads, giver }: Start,
  context: ServiceContext,
): Promise<ServingParts> {
  const { clock, health, log, registry } = context;
  const settings = served.dns;
  const workers = workersHere(settings.workers, log);
  const listen = await claimed(settings.listen, clock);
  const listenTls = await claimedTcp(settings.tls?.listen ?? [], clock);
  const upstreams = new UpstreamHealth(health);
  const adopted = new Adoptions(workers);
  let running: WorkerGroup<DnsWorkers> | undefined;
  const siblings = new WarmStart({ workers, clock, log, tell: (message) => running?.tell(message) });
  const group = await WorkerGroup.open<DnsWorkers>({
    module,
    workers,
    layout: WORKER_LAYOUT,
    settings: settingsFor(document, served, listen, listenTls, workers),
    context,
    onMessage: (message, worker) => {
      if (message.kind === "adopted") adopted.one();
      else if (message.kind === "dead-zones") upstreams.report(message.zones, worker);
      else if (message.kind === "gave-hot" || message.kind === "took-hot") siblings.hear(message);
      else running?.tell(message);
    },
  });
  // Not before the workers have loaded what they need: code that was compiled with other flags is not taken from the cache.
  setFlagsFromString(COLLECTOR);
  running = group;
  const { table } = group;
  const adopt = (next: Served): Promise<void> => {
    group.tell({ kind: "serve", served: next });
    if (giver !== undefined) giver.secret = next.siblingSecret ?? giver.secret;
    return adopted.all();
  };
  const reloader = new Reloader({ document, seed, running: served, clock, log, adopt });
  reloads.serve(reloader);
  const closeControl = await controlled(document, settings, reloader).catch(async (failure: unknown) => {
    await group.close();
    throw failure;
  });
  registerMetrics(registry, table, reloader, giver);
  giver?.open(() => siblings.gather());
  const load = clock.every("dns-load", LOAD_INTERVAL, () => (health.load = table.most("load")));
  const probe = new SelfProbe(clock, listen, `${context.identity.site}/${context.identity.instance}`);
  logStart(group, workers, log);
  return {
    probe: probe.probe,
    progress: () => table.rows.map((row) => row.total + row.get("kernelDrops")),
    warm: () => siblings.take(served), // the workers themselves are, or they would not be ready
    close: async () => {
      load.cancel();
      siblings.close();
      await probe.close();
      await closeControl();
      await group.close();
    },
  };
}

function settingsFor(
  document: SiteDocument,
  served: Served,
  listen: readonly Endpoint[],
  listenTls: readonly Endpoint[],
  workers: number,
): WorkerSettings {
  const { file } = served.dns.cache;
  return {
    served,
    listen,
    listenTls,
    sockets: upstreamSockets(openFileLimit(), listen.length + listenTls.length, workers),
    loopKey: randomBytes(TOKEN_KEY),
    cacheFile: file === undefined ? undefined : localPath(document, file),
  };
}

/** Opens the control socket, if the settings name one; resolves with how to close it. */
async function controlled(
  document: SiteDocument,
  { control: path }: DnsSettings,
  reloader: Reloader,
): Promise<() => Promise<void>> {
  if (path === undefined) return async () => {};
  const control = await openControl(localPath(document, path), () => reloader.reload());
  return () => control.close();
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
