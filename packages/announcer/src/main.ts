import { dirname, join } from "node:path";
import { BfdMonitor } from "@stitch/bfd";
import { BgpSession, formatPrefix, TcpTransport, type Family, type SessionOptions } from "@stitch/bgp-speaker";
import { seconds, SystemClock, type Clock, type Duration } from "@stitch/clock";
import { ConfigError, type SiteDocument } from "@stitch/config";
import {
  type ControlSocket,
  createLogger,
  createRegistry,
  EXIT,
  type HealthIdentity,
  type Logger,
  stopWished,
} from "@stitch/health";
import { Announcer } from "./announcer.ts";
import type { AnnouncerOptions } from "./options.ts";
import { addressIsLocal } from "./check/address.ts";
import { openCheck } from "./check/open.ts";
import { remoteKeys, type RemoteKeys } from "./config/remote.ts";
import { resolvedConfig } from "./config/password.ts";
import type { AnnouncerConfig, PeerConfig } from "./config.ts";
import type { ControlSource } from "./control-routes.ts";
import { openControl } from "./control.ts";
import { dialer } from "./dialer.ts";
import { DRY_RUN, mute, quiet } from "./dry-run.ts";
import { Evidence } from "./evidence/evidence.ts";
import { pageOver } from "./evidence/page.ts";
import { FlapMemory } from "./flap-memory.ts";
import { Journal, type JournalEntry } from "./journal.ts";
import { Connections } from "./loop/connections.ts";
import { registerAlarmMetrics } from "./loop/metrics.ts";
import { closedLoop } from "./loop/open.ts";
import { registerAnnouncerMetrics } from "./metrics.ts";
import { RemoteControl } from "./remote-control.ts";
import { RouteHealthEndpoint } from "./route-health.ts";
import type { Change } from "./reload/changes.ts";
import { readAgain } from "./reload/read.ts";
import { SavedDrains } from "./saved-drains.ts";
import { IpCommand } from "./speaker/ip-command.ts";
import { KernelSpeaker } from "./speaker/kernel.ts";
import { WatchdogProcess, type WatchdogEvent } from "./speaker/watchdog/watchdog.ts";
import { statusOf } from "./status.ts";

/** A disk that hangs does not keep the announcer from ending. */
const LAST_WRITE: Duration = seconds(1);

export interface MainOptions {
  /** Checks, decides and journals, beside an announcer that runs for real; speaks to no router. */
  readonly dryRun: boolean;
}

/** Runs the announcer of a site until SIGTERM or SIGINT; resolves with the exit code. */
export async function main(document: SiteDocument, { dryRun }: MainOptions = { dryRun: false }): Promise<number> {
  const identity = { service: "announcer", site: document.site, instance: document.instance };
  const log = createLogger(identity);
  const clock = new SystemClock();
  const stop = stopWished(clock);
  let opened: Opened;
  try {
    opened = await open(document, identity, clock, log, dryRun);
  } catch (failure) {
    if (failure instanceof ConfigError) throw failure;
    log.fatal((failure as Error).message);
    return UNUSABLE.has((failure as Error).name) ? EXIT.unusable : EXIT.failed;
  }
  opened.announcer.start();
  log.info(opened.places, "started");
  await stop;
  await opened.announcer.stop();
  await opened.close();
  log.info("stopped");
  return EXIT.stopped;
}

/** What a person must mend: an address or a socket that cannot be had, an option that this machine cannot set. */
const UNUSABLE: ReadonlySet<string> = new Set(["ControlError", "BindError", "UnsettableOptionError"]);

interface Opened {
  readonly announcer: Announcer;
  readonly places: { readonly control: string; readonly journal: string };
  close(): Promise<void>;
}

/** Everything but the first word to a router. Rejects, with nothing left open, when something cannot be had. */
async function open(
  document: SiteDocument,
  identity: HealthIdentity,
  clock: SystemClock,
  log: Logger,
  dryRun: boolean,
): Promise<Opened> {
  const asRun = (given: AnnouncerConfig): AnnouncerConfig => (dryRun ? quiet(given, journalOf(given)) : given);
  const config = asRun(resolvedConfig(document));
  const path = journalOf(config);
  const journal = new Journal(path, clock, (failure) => log.error(`the journal cannot be written: ${failure.message}`));
  // The log is written when the turn is over: a route does not wait for a line about it.
  journal.onEntry((entry) => queueMicrotask(() => logEntry(log, entry)));
  if (dryRun) journal.append({ kind: "note", detail: DRY_RUN });
  // What a dry run remembers ends with it: the files are those of the announcer that runs for real.
  const beside = (name: string): string | undefined => (dryRun ? undefined : join(dirname(path), name));
  const savedDrains = new SavedDrains(beside("drains.json"), (failure) =>
    log.error(`the operators' drains cannot be kept: ${failure.message}`),
  );
  const flaps = flapMemory(beside("flaps.json"), config, clock, journal);
  const kernel = kernelSpeaker(config, clock, journal);
  const connections = new Connections(() => announcer.config.peers);
  const wiring = announcerOptions(identity, config, clock, log, connections, dryRun);
  const announcer = new Announcer({ ...wiring, ...kernel, journal, savedDrains, flaps });
  const keys = remoteKeys(document, config);
  let remote: RemoteControl | undefined;
  const reload = (): Change => reloadFrom(document, announcer, asRun, (renewed) => remote?.renew(renewed));
  const registry = createRegistry(identity);
  registerAnnouncerMetrics(registry, announcer, journal);
  registerAlarmMetrics(registry, announcer.alarms);
  const source: ControlSource = {
    announcer,
    journal,
    status: () => statusOf(announcer, identity, clock, config.routerId, dryRun),
    reload,
    metrics: async () => ({ type: registry.contentType, text: await registry.metrics() }),
  };
  const control = await openControl({ ...source, path: config.control });
  const { health, remote: door } = config;
  const closeListeners = await listeners(control, [
    ...(health === undefined ? [] : [() => RouteHealthEndpoint.open(health, identity, announcer)]),
    ...(door === undefined || keys === undefined
      ? []
      : [async () => (remote = await RemoteControl.open({ ...source, listen: door.listen, keys, registry, clock }))]),
  ]);
  const loop = closedLoop(announcer, wiring.evidence, journal, clock, connections.acknowledged);
  loop.start();
  process.on("SIGHUP", reload);
  return {
    announcer,
    places: { control: config.control, journal: path },
    close: async () => {
      process.off("SIGHUP", reload);
      loop.stop();
      await closeListeners();
      await control.close();
      const written = Promise.all([journal.written(), savedDrains.written(), flaps.written()]);
      await Promise.race([written, new Promise<void>((late) => void clock.after("last-write", LAST_WRITE, late))]);
    },
  };
}

interface Listener {
  close(): Promise<void>;
}

/** Opens what listens on the network, and resolves with how to close it; when one cannot be had, nothing is left open. */
async function listeners(
  control: ControlSocket,
  openers: readonly (() => Promise<Listener>)[],
): Promise<() => Promise<void>> {
  const opened: Listener[] = [];
  const closeAll = async (): Promise<void> => {
    for (const listener of opened) await listener.close();
  };
  try {
    for (const opener of openers) opened.push(await opener());
    return closeAll;
  } catch (failure) {
    await closeAll();
    await control.close();
    throw Object.assign(failure as Error, { name: "BindError" });
  }
}

function announcerOptions(
  identity: HealthIdentity,
  config: AnnouncerConfig,
  clock: SystemClock,
  log: Logger,
  connections: Connections,
  dryRun: boolean,
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
    openBfd: (onChange) =>
      new BfdMonitor({ clock, onChange, onFailure: (failure) => log.error({ err: failure }, "the BFD thread died") }),
    openSession: (peer, watch, onEvent) => {
      const session = new BgpSession({
        peer: sessionPeer(peer),
        local: { asn: config.asn, routerId: config.routerId },
        families: familiesOf(config),
        clock,
        transport: new TcpTransport(dialer(clock, (address, socket) => connections.opened(address, socket))),
        random: Math.random,
        watch,
        onEvent,
      });
      return dryRun ? mute(session) : session;
    },
  };
}

function sessionPeer(peer: PeerConfig): SessionOptions["peer"] {
  const { address, port, asn, holdTime, localAddress, password, ttlSecurity, multihop: ttl } = peer;
  return {
    address,
    port,
    asn,
    holdTime,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(password === undefined ? {} : { password }),
    ...(ttlSecurity === undefined ? {} : { ttlSecurity }),
    ...(ttl === undefined ? {} : { ttl }),
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

function flapMemory(path: string | undefined, { vips }: AnnouncerConfig, clock: Clock, journal: Journal): FlapMemory {
  const note = ({ message }: Error): void =>
    void journal.append({ kind: "note", detail: `the memory of past falls is not kept: ${message}` });
  const flaps = new FlapMemory(path, clock, note);
  flaps.keepOnly(vips.map(({ prefix }) => formatPrefix(prefix)));
  return flaps;
}

function journalOf({ control, journal }: AnnouncerConfig): string {
  return journal ?? join(dirname(control), "journal.jsonl");
}

function reloadFrom(
  { file, site, instance }: SiteDocument,
  announcer: Announcer,
  asRun: (given: AnnouncerConfig) => AnnouncerConfig,
  onKeys: (keys: RemoteKeys) => void,
): Change {
  const read = readAgain(file, site, instance);
  if (!read.ok) return announcer.refuseReload(read.problems);
  const change = announcer.reload(asRun(read.config));
  if (change.kind === "accepted" && read.keys !== undefined) onKeys(read.keys);
  return change;
}

/** IPv4 always: a peer may insist on it. IPv6 when a VIP needs it. */
export function familiesOf({ vips }: AnnouncerConfig): Family[] {
  return vips.some(({ prefix }) => prefix.family === "ipv6") ? ["ipv4", "ipv6"] : ["ipv4"];
}

function logEntry(log: Logger, entry: JournalEntry): void {
  const { at: _at, ...fact } = entry;
  log.info(fact, entry.kind);
}
