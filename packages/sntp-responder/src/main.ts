import { seconds, SystemClock } from "@stitch/clock";
import type { SiteDocument } from "@stitch/config";
import {
  createLogger,
  runService,
  WorkerGroup,
  workersHere,
  type ServiceContext,
  type ServingParts,
} from "@stitch/health";
import { claimAddress, formatEndpoint, type Endpoint } from "@stitch/linux-io";
import { ntpConfig, type NtpConfig } from "./config.ts";
import { judgeClock, sayLocalClock } from "./health.ts";
import type { ClockState } from "./host-clock/clock-state.ts";
import { sourceOf } from "./host-clock/choose.ts";
import { HostClock } from "./host-clock/host-clock.ts";
import { registerClockMetrics, registerWorkerMetrics } from "./metrics.ts";
import { selfProbe } from "./self-probe.ts";
import { WORKER_LAYOUT, type NtpWorkers } from "./worker-contract.ts";

const WORKER = new URL("./worker.ts", import.meta.url);

/**
 * Runs the responder of a site until SIGTERM or SIGINT; resolves with the exit code. Throws ConfigError. `worker` is the
 * module that serves, in as many threads as the settings say.
 */
export function main(document: SiteDocument, worker: URL = WORKER): Promise<number> {
  const config = ntpConfig(document);
  const identity = { service: "ntp", site: document.site, instance: document.instance };
  return runService({
    identity,
    clock: new SystemClock(),
    log: createLogger(identity),
    listenHealth: config.health,
    start: (context) => startResponder(context, config, worker),
  });
}

/** Starts the workers, asks for the clock's state, and from then on says what is true: to them and in health. */
export async function startResponder(
  context: ServiceContext,
  config: NtpConfig,
  module: URL = WORKER,
): Promise<ServingParts> {
  const { clock, health, log, registry } = context;
  const listen: Endpoint[] = [];
  for (const local of config.listen) listen.push(await claimAddress(local, clock));
  const group = await WorkerGroup.open<NtpWorkers>({
    module,
    workers: workersHere(config.workers, log),
    layout: WORKER_LAYOUT,
    settings: { listen },
    context,
    onMessage: () => {},
  });
  const { table } = group;
  const source = sourceOf(config, clock);
  const hostClock: HostClock = new HostClock({
    clock,
    source,
    onState: (state: ClockState) => {
      group.tell({ state, wallMicros: clock.wallMicros() });
      const stepped = hostClock.stepped || table.most("stepped") > 0;
      judgeClock(health, { state, stepped, maxRootDistance: config.maxRootDistance });
    },
  });
  if (config.clock.kind === "local") sayLocalClock(health);
  registerClockMetrics(registry, hostClock);
  registerWorkerMetrics(registry, table);
  const load = clock.every("load", seconds(1), () => (health.load = table.most("load")));
  await hostClock.start();
  const workers = group.ready.length;
  log.info(
    { listen: listen.map(formatEndpoint), clock: source.name, lacking: group.ready[0]?.lacking, workers },
    "listening",
  );
  return {
    probe: selfProbe(listen, clock),
    progress: () => table.rows.map((row) => row.total + row.get("kernelDrops")),
    warm: async () => {}, // the workers are, or they would not be ready
    close: async () => {
      load.cancel();
      hostClock.stop();
      await group.close();
    },
  };
}
