import { dirname, join } from "node:path";
import { BgpSession, formatPrefix, TcpTransport, type Family } from "@stitch/bgp-speaker";
import { seconds, SystemClock, type Clock, type Duration } from "@stitch/clock";
import type { SiteDocument } from "@stitch/config";
import { createLogger, createRegistry, EXIT, type HealthIdentity, type Logger, stopWished } from "@stitch/health";
import { Announcer, type AnnouncerOptions } from "./announcer.ts";
import { addressIsLocal } from "./check/address.ts";
import type { PollResult } from "./check/observer.ts";
import { openCheck, probeOf } from "./check/open.ts";
import { announcerConfig, type AnnouncerConfig, type VipConfig } from "./config.ts";
import { ControlError, ControlSocket } from "./control.ts";
import { Evidence } from "./evidence/evidence.ts";
import { pageOver } from "./evidence/page.ts";
import { FlapMemory } from "./flap-memory.ts";
import { Journal, type JournalEntry } from "./journal.ts";
import { ClosedLoop } from "./loop/closed-loop.ts";
import { registerAlarmMetrics } from "./loop/metrics.ts";
import { selfQuery } from "./loop/self-query.ts";
import { registerAnnouncerMetrics } from "./metrics.ts";
import { RouteHealthEndpoint } from "./route-health.ts";
import { SavedDrains } from "./saved-drains.ts";
import { statusOf } from "./status.ts";

/** A disk that hangs does not keep the announcer from ending. */
const LAST_WRITE: Duration = seconds(1);

/** Runs the announcer of a site until SIGTERM or SIGINT; resolves with the exit code. */
export async function main(document: SiteDocument): Promise<number> {
  const identity = { service: "announcer", site: document.site, instance: document.instance };
  const log = createLogger(identity);
  const config = announcerConfig(document);
  const clock = new SystemClock();
  const stop = stopWished(clock);
  const path = config.journal ?? join(dirname(config.control), "journal.jsonl");
  const journal = new Journal(path, clock, (failure) => log.error(`the journal cannot be written: ${failure.message}`));
  journal.onEntry((entry) => logEntry(log, entry));
  const savedDrains = new SavedDrains(join(dirname(path), "drains.json"), (failure) =>
    log.error(`the operators' drains cannot be kept: ${failure.message}`),
  );
  const flaps = flapMemory(join(dirname(path), "flaps.json"), config, clock, journal);
  const options = announcerOptions(identity, config, clock);
  const announcer = new Announcer({ ...options, journal, savedDrains, flaps });
  const loop = new ClosedLoop({
    announcer,
    journal,
    clock,
    clients: (vip) => options.evidence.clients(vip),
    query: ({ config: vip }) => queryThroughVip(vip, config, clock),
  });
  const registry = createRegistry(identity);
  registerAnnouncerMetrics(registry, announcer, journal);
  registerAlarmMetrics(registry, announcer.alarms);
  let control: ControlSocket;
  try {
    control = await ControlSocket.open({
      path: config.control,
      announcer,
      journal,
      status: () => statusOf(announcer, identity, clock, config.routerId),
      metrics: async () => ({ type: registry.contentType, text: await registry.metrics() }),
    });
  } catch (failure) {
    log.fatal((failure as Error).message);
    return failure instanceof ControlError ? EXIT.unusable : EXIT.failed;
  }
  let health: RouteHealthEndpoint | undefined;
  try {
    if (config.health !== undefined) health = await RouteHealthEndpoint.open(config.health, identity, announcer);
  } catch (failure) {
    log.fatal((failure as Error).message);
    await control.close();
    return EXIT.unusable;
  }
  loop.start();
  announcer.start();
  log.info({ control: config.control, journal: path }, "started");
  await stop;
  await announcer.stop();
  loop.stop();
  await health?.close();
  await control.close();
  const written = Promise.all([journal.written(), savedDrains.written(), flaps.written()]);
  await Promise.race([written, new Promise<void>((late) => void clock.after("last-write", LAST_WRITE, late))]);
  log.info("stopped");
  return EXIT.stopped;
}

function announcerOptions(
  identity: HealthIdentity,
  config: AnnouncerConfig,
  clock: SystemClock,
): Omit<AnnouncerOptions, "journal" | "savedDrains" | "flaps"> {
  const vips = new Set(config.vips.map(({ prefix }) => prefix.address));
  return {
    identity,
    config,
    clock,
    addressIsLocal,
    evidence: new Evidence(config.vips, clock, pageOver(clock)),
    openCheck: ({ check, fall }, observer) => openCheck(check, observer, { clock, random: Math.random, fall, vips }),
    openSession: ({ address, port, asn, holdTime, localAddress }, watch, onEvent) =>
      new BgpSession({
        peer: { address, port, asn, holdTime, ...(localAddress === undefined ? {} : { localAddress }) },
        local: { asn: config.asn, routerId: config.routerId },
        families: familiesOf(config),
        clock,
        transport: new TcpTransport(),
        random: Math.random,
        watch,
        onEvent,
      }),
  };
}

function queryThroughVip(
  { proof }: VipConfig,
  { vips }: AnnouncerConfig,
  clock: Clock,
): Promise<PollResult> | undefined {
  if (proof === undefined || !("pace" in proof)) return undefined;
  const addresses = new Set(vips.map(({ prefix }) => prefix.address));
  return selfQuery(probeOf(proof, { vips: addresses, clock }), proof.pace.timeout, clock);
}

function flapMemory(path: string, { vips }: AnnouncerConfig, clock: Clock, journal: Journal): FlapMemory {
  const note = ({ message }: Error): void =>
    void journal.append({ kind: "note", detail: `the memory of past falls is not kept: ${message}` });
  const flaps = new FlapMemory(path, clock, note);
  flaps.keepOnly(vips.map(({ prefix }) => formatPrefix(prefix)));
  return flaps;
}

/** IPv4 always: a peer may insist on it. IPv6 when a VIP needs it. */
export function familiesOf({ vips }: AnnouncerConfig): Family[] {
  return vips.some(({ prefix }) => prefix.family === "ipv6") ? ["ipv4", "ipv6"] : ["ipv4"];
}

function logEntry(log: Logger, entry: JournalEntry): void {
  const { at: _at, ...fact } = entry;
  log.info(fact, entry.kind);
}
