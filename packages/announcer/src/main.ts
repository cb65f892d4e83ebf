import { dirname, join } from "node:path";
import { BgpSession, formatPrefix, TcpTransport, type Family } from "@stitch/bgp-speaker";
import { seconds, SystemClock, type Clock, type Duration } from "@stitch/clock";
import type { SiteDocument } from "@stitch/config";
import { createLogger, createRegistry, EXIT, type HealthIdentity, type Logger, stopWished } from "@stitch/health";
import { Announcer, type AnnouncerOptions } from "./announcer.ts";
import { addressIsLocal } from "./check/address.ts";
import { openCheck } from "./check/open.ts";
import { announcerConfig, type AnnouncerConfig } from "./config.ts";
import { ControlError, ControlSocket } from "./control.ts";
import { Evidence } from "./evidence/evidence.ts";
import { pageOver } from "./evidence/page.ts";
import { FlapMemory } from "./flap-memory.ts";
import { Journal, type JournalEntry } from "./journal.ts";
import { registerAnnouncerMetrics } from "./metrics.ts";
import type { Change } from "./reload/changes.ts";
import { readAgain } from "./reload/read.ts";
import { SavedDrains } from "./saved-drains.ts";
import { IpCommand } from "./speaker/ip-command.ts";
import { KernelSpeaker } from "./speaker/kernel.ts";
import { WatchdogProcess, type WatchdogEvent } from "./speaker/watchdog/watchdog.ts";
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
  const kernel = kernelSpeaker(config, clock, journal);
  const flaps = flapMemory(join(dirname(path), "flaps.json"), config, clock, journal);
  const announcer = new Announcer({
    ...announcerOptions(identity, config, clock),
    ...kernel,
    journal,
    savedDrains,
    flaps,
  });
  const reload = (): Change => reloadFrom(document, announcer);
  process.on("SIGHUP", reload);
  const registry = createRegistry(identity);
  registerAnnouncerMetrics(registry, announcer, journal);
  let control: ControlSocket;
  try {
    control = await ControlSocket.open({
      path: config.control,
      announcer,
      journal,
      status: () => statusOf(announcer, identity, clock, config.routerId),
      reload,
      metrics: async () => ({ type: registry.contentType, text: await registry.metrics() }),
    });
  } catch (failure) {
    log.fatal((failure as Error).message);
    return failure instanceof ControlError ? EXIT.unusable : EXIT.failed;
  }
  announcer.start();
  log.info({ control: config.control, journal: path }, "started");
  await stop;
  await announcer.stop();
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
): Omit<AnnouncerOptions, "journal" | "savedDrains" | "flaps" | "kernel"> {
  return {
    identity,
    config,
    clock,
    addressIsLocal,
    evidence: new Evidence(config.vips, clock, pageOver(clock)),
    openCheck: ({ check, fall }, observer, { vips }) => {
      const addresses = new Set(vips.map(({ prefix }) => prefix.address));
      return openCheck(check, observer, { clock, random: Math.random, fall, vips: addresses });
    },
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

function kernelSpeaker(
  { kernel: config, vips }: AnnouncerConfig,
  clock: Clock,
  journal: Journal,
): { kernel?: KernelSpeaker } {
  if (config === undefined) return {};
  const { protocol, watchdog: bound } = config;
  const prefixes = vips.map(({ prefix }) => prefix);
  const table = new IpCommand(protocol);
  const openWatchdog = (onEvent: (event: WatchdogEvent) => void): WatchdogProcess =>
    new WatchdogProcess({ protocol, bound, prefixes, clock, onEvent });
  return { kernel: new KernelSpeaker({ prefixes, table, openWatchdog, clock, journal }) };
}

function flapMemory(path: string, { vips }: AnnouncerConfig, clock: Clock, journal: Journal): FlapMemory {
  const note = ({ message }: Error): void =>
    void journal.append({ kind: "note", detail: `the memory of past falls is not kept: ${message}` });
  const flaps = new FlapMemory(path, clock, note);
  flaps.keepOnly(vips.map(({ prefix }) => formatPrefix(prefix)));
  return flaps;
}

function reloadFrom({ file, site, instance }: SiteDocument, announcer: Announcer): Change {
  const read = readAgain(file, site, instance);
  return read.ok ? announcer.reload(read.config) : announcer.refuseReload(read.problems);
}

/** IPv4 always: a peer may insist on it. IPv6 when a VIP needs it. */
export function familiesOf({ vips }: AnnouncerConfig): Family[] {
  return vips.some(({ prefix }) => prefix.family === "ipv6") ? ["ipv4", "ipv6"] : ["ipv4"];
}

function logEntry(log: Logger, entry: JournalEntry): void {
  const { at: _at, ...fact } = entry;
  log.info(fact, entry.kind);
}
