import { performance } from "node:perf_hooks";
import { seconds, SystemClock } from "@stitch/clock";
import type { SiteDocument } from "@stitch/config";
import { createLogger, runService, type Health, type ServiceContext, type ServingParts } from "@stitch/health";
import { formatEndpoint } from "@stitch/linux-io";
import { ntpConfig, type NtpConfig } from "./config.ts";
import { judgeClock, sayLocalClock } from "./health.ts";
import type { ClockState } from "./host-clock/clock-state.ts";
import { sourceOf } from "./host-clock/choose.ts";
import { HostClock } from "./host-clock/host-clock.ts";
import { registerClockMetrics, registerSocketMetrics, requestCounter } from "./metrics.ts";
import { selfProbe } from "./self-probe.ts";
import { Server } from "./server.ts";

/** Runs the responder of a site until SIGTERM or SIGINT; resolves with the exit code. Throws ConfigError. */
export function main(document: SiteDocument): Promise<number> {
  const config = ntpConfig(document);
  const identity = { service: "ntp", site: document.site, instance: document.instance };
  return runService({
    identity,
    clock: new SystemClock(),
    log: createLogger(identity),
    listenHealth: config.health,
    start: (context) => startResponder(context, config),
  });
}

/** Opens the sockets, asks for the clock's state, and from then on says what is true. */
export async function startResponder(context: ServiceContext, config: NtpConfig): Promise<ServingParts> {
  const { clock, health, log, registry } = context;
  const outcomes = requestCounter(registry);
  const onFailure = (failure: Error): void => log.error({ err: failure }, "socket");
  const server: Server = await Server.open({
    listen: config.listen,
    clock,
    outcomes,
    beforeBatch: () => hostClock.look(),
    onFailure,
  });
  const source = sourceOf(config, clock);
  const hostClock: HostClock = new HostClock({
    clock,
    source,
    onState: (state: ClockState) => {
      server.serve(state);
      judgeClock(health, { state, stepped: hostClock.stepped, maxRootDistance: config.maxRootDistance });
    },
  });
  if (config.clock.kind === "local") sayLocalClock(health);
  registerClockMetrics(registry, hostClock);
  registerSocketMetrics(registry, server.sockets);
  const load = clock.every("load", seconds(1), loadMeter(health));
  await hostClock.start();
  const lacking = [...new Set(server.sockets.flatMap((socket) => socket.lacking))];
  log.info({ listen: server.locals.map(formatEndpoint), clock: source.name, lacking }, "listening");
  return {
    probe: selfProbe(server.locals, clock),
    progress: () => server.progress,
    warm: () => server.warm(),
    close: async () => {
      load.cancel();
      hostClock.stop();
      await server.close();
    },
  };
}

/** Load is the share of the last second in which the event loop was busy. */
function loadMeter(health: Health): () => void {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    health.load = performance.eventLoopUtilization(now, before).utilization;
    before = now;
  };
}
