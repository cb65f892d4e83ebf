import { formatPrefix, type ReceivedPath } from "@stitch/bgp-speaker";
import { milliseconds, seconds, type Duration, type Timer } from "@stitch/clock";
import type { AnnouncerConfig, VipConfig } from "./config.ts";
import { BfdWatch } from "./bfd-watch.ts";
import { wish } from "./decision/machine.ts";
import { Drains, SERVICE_STOPS, type Guarded } from "./drains.ts";
import type { JournalEntry } from "./journal.ts";
import { Alarms } from "./loop/alarms.ts";
import { hears } from "./loop/findings.ts";
import type { AnnouncerOptions, Drain, DrainRequest } from "./options.ts";
import { changeTo, sameCheck, type Change } from "./reload/changes.ts";
import { advertisementFor, originOf, type Origin } from "./route/advertisement.ts";
import type { KernelSpeaker } from "./speaker/kernel.ts";
import { Speakers, type PeerView } from "./speakers.ts";
import { Vip } from "./vip.ts";

/** How often a waiting drain asks the guard again; paths from peers ask at once. */
const GUARD_INTERVAL: Duration = milliseconds(100);
/** How often the machine is asked whether the VIPs are still its own. */
const ADDRESS_INTERVAL: Duration = seconds(2);

/**
 * Wires the arrows together: checks -> machine -> wish -> advertisements -> sessions. Every change ends in
 * `session.set(all)`, in the same turn of the event loop in which its cause was seen.
 */
export class Announcer {
  readonly origin: Origin;
  readonly alarms: Alarms;
  readonly #options: AnnouncerOptions;
  #config: AnnouncerConfig;
  #vips: readonly Guarded[];
  readonly #speakers: Speakers;
  readonly #drains: Drains;
  readonly bfd: BfdWatch;
  readonly #timers: Timer[] = [];
  #started = false;
  #stopping: Promise<void> | undefined;
  #allWithdrawn: (() => void) | undefined;

  constructor(options: AnnouncerOptions) {
    const { config, identity, clock, journal, openSession, kernel } = options;
    this.#options = options;
    this.#config = config;
    this.origin = originOf(config.asn, identity.site, identity.instance);
    this.alarms = new Alarms(clock, journal);
    this.#vips = config.vips.map((vip) => this.#guard(vip));
    const { origin } = this;
    this.#drains = new Drains({
      ...options,
      vips: () => this.#vips,
      times: () => this.#config.drain,
      otherOrigins: (vip) => this.otherOrigins(vip),
      listeners: () => this.listeners,
    });
    const onPaths = (): void => this.#ruleDrains();
    this.#speakers = new Speakers({ origin, journal, openSession, kernel, onPaths }, config.peers, this.#watched);
    this.bfd = new BfdWatch(options.openBfd, config.peers, journal, (address) => this.#speakers.bfdDown(address));
  }

  #guard(config: VipConfig): Guarded {
    const { clock, journal, flaps, openCheck } = this.#options;
    const vip = new Vip({
      config,
      clock,
      journal,
      onDecision: (_vip, entry) => this.#decided(guarded, entry),
      onServiceDraining: () => this.#releaseIfWithdrawn(guarded),
      flaps,
    });
    const check = openCheck(config, vip, this.#config);
    const guarded: Guarded = { vip, check, drain: undefined, returns: undefined };
    return guarded;
  }

  get #watched(): readonly Vip["prefix"][] {
    return this.#config.vips.map(({ prefix }) => prefix);
  }

  get config(): AnnouncerConfig {
    return this.#config;
  }

  get kernel(): KernelSpeaker | undefined {
    return this.#speakers.kernel;
  }

  get vips(): readonly Vip[] {
    return this.#vips.map(({ vip }) => vip);
  }

  get peers(): readonly PeerView[] {
    return this.#speakers.peers;
  }

  /** Somebody hears what is announced. */
  get listeners(): number {
    return this.#speakers.listeners;
  }

  /** Somebody hears of this very VIP: a session may be unable to carry it. */
  heard({ name }: Vip): boolean {
    const { kernel, peers } = this;
    return peers.some((peer) => hears(peer, name)) || (kernel?.established === true && kernel.asserted.includes(name));
  }

  drainOf(vip: Vip): Drain | undefined {
    return this.#vips.find((guarded) => guarded.vip === vip)?.drain;
  }

  /** Peers that have sent a path for the VIP which is not ours. */
  otherOrigins(vip: Vip): readonly { readonly peer: string; readonly path: ReceivedPath }[] {
    return this.#speakers.otherOrigins(vip.name);
  }

  start(): void {
    this.#started = true;
    this.#drains.restore();
    this.#speakers.start();
    this.bfd.start();
    for (const { check } of this.#vips) check.start();
    const { clock } = this.#options;
    this.#timers.push(clock.every("last-origin-guard", GUARD_INTERVAL, () => this.#ruleDrains()));
    this.#timers.push(clock.every("vip-address", ADDRESS_INTERVAL, () => void this.#checkAddresses()));
    void this.#checkAddresses();
  }

  /** The VIPs called `target`: a service name, an address, a prefix, or `all`. */
  find(target: string): Vip[] {
    return this.vips.filter(
      ({ config, name }) =>
        target === "all" || target === config.service || target === name || target === config.prefix.address,
    );
  }

  drain(targets: readonly Vip[], request: DrainRequest, via?: "remote"): void {
    const cause = this.#journalOperator("drain", targets, request, via);
    for (const guarded of this.#guarded(targets)) this.#drains.begin(guarded, "operator", request, cause);
    this.#drains.save();
    this.#ruleDrains();
  }

  undrain(targets: readonly Vip[], reason: string, via?: "remote"): void {
    const cause = this.#journalOperator("undrain", targets, { reason, forced: false }, via);
    for (const guarded of this.#guarded(targets)) this.#drains.end(guarded, "operator-undrain", reason, cause);
  }

  /** Takes another configuration, or says why not and changes nothing. What is the same in both is left alone. */
  reload(next: AnnouncerConfig): Change {
    const announced = new Set(this.vips.flatMap(({ name, wish: heard }) => (heard === "none" ? [] : [name])));
    const stopping = this.#stopping !== undefined;
    const change = changeTo({ config: this.#config, announced, stopping }, next);
    if (change.kind === "refused") return this.refuseReload(change.problems);
    const replacePeers = this.#prepared(next);
    if (replacePeers instanceof Error) return this.refuseReload([replacePeers.message]);
    const { id } = this.#options.journal.append({ kind: "reload", accepted: true, detail: change.changes });
    this.#become(next, replacePeers, id);
    return change;
  }

  /** A session may be impossible, such as one with a password without the addon: known before anything is changed. */
  #prepared({ peers, vips }: AnnouncerConfig): ((text: string) => void) | Error {
    try {
      return this.#speakers.prepare(
        peers,
        vips.map(({ prefix }) => prefix),
      );
    } catch (failure) {
      return failure instanceof Error ? failure : new Error(String(failure));
    }
  }

  /** A file that cannot be used changes nothing, and the journal says why. */
  refuseReload(problems: readonly string[]): Change {
    this.#options.journal.append({ kind: "reload", accepted: false, detail: problems });
    return { kind: "refused", problems };
  }

  #become(next: AnnouncerConfig, replacePeers: (text: string) => void, cause: number): void {
    const { site, instance } = this.#options.identity;
    this.#config = next;
    this.#options.evidence.configure(next.vips);
    this.#options.flaps.keepOnly(next.vips.map(({ prefix }) => formatPrefix(prefix)));
    this.#reloadVips(next.vips);
    replacePeers(`stitch ${site}/${instance}: reload`);
    this.bfd.reload(next.peers);
    this.#advertise(cause);
    this.#drains.save();
    void this.#checkAddresses();
  }

  #reloadVips(next: readonly VipConfig[]): void {
    const before = new Map(this.#vips.map((guarded) => [guarded.vip.name, guarded]));
    this.#vips = next.map((config) => {
      const name = formatPrefix(config.prefix);
      const guarded = before.get(name) ?? this.#guard(config);
      if (before.delete(name)) this.#reconfigure(guarded, config);
      else if (this.#started) guarded.check.start();
      return guarded;
    });
    for (const { check, returns } of before.values()) {
      check.stop();
      returns?.cancel();
    }
  }

  /** The state stays: what the new check finds is judged from there. */
  #reconfigure(guarded: Guarded, config: VipConfig): void {
    const { vip } = guarded;
    const keepsCheck = sameCheck(vip.config, config);
    vip.configure(config);
    if (keepsCheck) return;
    guarded.check.stop();
    guarded.check = this.#options.openCheck(config, vip, this.#config);
    if (this.#started) guarded.check.start();
  }

  /** Drains everything, withdraws, closes the sessions with a Cease. At most `drain.max` plus the closing. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const request: DrainRequest = { reason: "the announcer is stopping", forced: false, lasts: undefined };
    for (const guarded of this.#vips) this.#drains.begin(guarded, "announcer", request);
    const done = new Promise<void>((resolve) => void (this.#allWithdrawn = resolve));
    this.#ruleDrains();
    await done;
    for (const timer of this.#timers) timer.cancel();
    for (const { check } of this.#vips) check.stop();
    const { site, instance } = this.#options.identity;
    await Promise.all([this.#speakers.stop(`stitch ${site}/${instance}: planned stop`), this.bfd.stop()]);
  }

  #ruleDrains(): void {
    this.#drains.rule();
    this.#noticeAllWithdrawn();
  }

  #noticeAllWithdrawn(): void {
    if (this.#vips.every(({ vip }) => vip.wish === "none")) this.#allWithdrawn?.();
  }

  /** A decision has been journalled: tell the routers first, then see to what follows from it. */
  #decided(guarded: Guarded, entry: JournalEntry): void {
    if (this.#drains.resume(guarded)) return;
    this.#advertise(entry.id);
    const { state } = guarded.vip.situation;
    if (state.name === "DRAINING" && state.by === "service" && guarded.drain === undefined)
      this.#drains.begin(guarded, "service", SERVICE_STOPS);
    if (entry.kind === "decision" && entry.from === "DRAINING") {
      if (state.name === "DOWN") guarded.drain = undefined;
      if (guarded.drain?.by === "operator") this.#drains.save();
    }
    this.#releaseIfWithdrawn(guarded);
  }

  /** The withdrawal is on its way; letting go of the lease tells the service that it may close after its linger. */
  #releaseIfWithdrawn({ vip, check }: Guarded): void {
    if (vip.wish === "none" && vip.lastReport?.phase === "draining") check.release();
  }

  #advertise(cause: number): void {
    if (!this.#started) return;
    const advertisements = this.#vips.flatMap(({ vip }) => {
      const { state, verdict } = vip.situation;
      const advertisement = advertisementFor(vip.prefix, wish(state, verdict), this.origin, vip.loadMark);
      return advertisement === undefined ? [] : [advertisement];
    });
    this.#speakers.set(advertisements, cause);
  }

  /** Of what the kernel speaker is reading now more is known than of what it has read before. */
  async #checkAddresses(): Promise<void> {
    await this.kernel?.read();
    for (const { vip } of this.#vips) {
      const { address } = vip.prefix;
      vip.addressChecked(this.kernel?.hasAddress(address) ?? (await this.#options.addressIsLocal(address)));
    }
  }

  #guarded(targets: readonly Vip[]): Guarded[] {
    return this.#vips.filter(({ vip }) => targets.includes(vip));
  }

  #journalOperator(
    action: "drain" | "undrain",
    targets: readonly Vip[],
    { reason, forced }: Pick<DrainRequest, "reason" | "forced">,
    via: "remote" | undefined,
  ): number {
    const vips = targets.map(({ name }) => name);
    const from = via === undefined ? {} : { via };
    return this.#options.journal.append({ kind: "operator", action, vips, reason, forced, ...from }).id;
  }
}
