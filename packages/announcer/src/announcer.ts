import type { ReceivedPath, SessionStatus } from "@stitch/bgp-speaker";
import { elapsed, later, milliseconds, seconds, type Duration, type Timer } from "@stitch/clock";
import { BfdWatch } from "./bfd-watch.ts";
import type { RouteCheck } from "./check/observer.ts";
import type { AnnouncerConfig, PeerConfig } from "./config.ts";
import { ruleDrain } from "./decision/drain.ts";
import { wish, type DrainedBy } from "./decision/machine.ts";
import type { JournalEntry } from "./journal.ts";
import { Alarms } from "./loop/alarms.ts";
import type { AnnouncerOptions, Drain, DrainRequest } from "./options.ts";
import { Peer } from "./peer.ts";
import { advertisementFor, isLeaving, originOf, type Origin } from "./route/advertisement.ts";
import type { SavedDrain } from "./saved-drains.ts";
import type { KernelSpeaker } from "./speaker/kernel.ts";
import type { Speaker } from "./speaker/speaker.ts";
import { Vip } from "./vip.ts";

/** How often a waiting drain asks the guard again; paths from peers ask at once. */
const GUARD_INTERVAL: Duration = milliseconds(100);
/** How often the machine is asked whether the VIPs are still its own. */
const ADDRESS_INTERVAL: Duration = seconds(2);

const SERVICE_STOPS: DrainRequest = { reason: "the service was told to stop", forced: false, lasts: undefined };

interface Guarded {
  readonly vip: Vip;
  readonly check: RouteCheck;
  drain: Drain | undefined;
  returns: Timer | undefined;
}

/**
 * Wires the arrows together: checks -> machine -> wish -> advertisements -> sessions. Every change ends in
 * `session.set(all)`, in the same turn of the event loop in which its cause was seen.
 */
export class Announcer {
  readonly origin: Origin;
  readonly alarms: Alarms;
  readonly #options: AnnouncerOptions;
  readonly #vips: Guarded[];
  readonly #peers: Peer[];
  readonly #speakers: Speaker[];
  readonly kernel: KernelSpeaker | undefined;
  readonly bfd: BfdWatch;
  readonly #timers: Timer[] = [];
  #started = false;
  #stopping: Promise<void> | undefined;
  #allWithdrawn: (() => void) | undefined;

  constructor(options: AnnouncerOptions) {
    const { config, identity, clock, journal } = options;
    this.#options = options;
    this.origin = originOf(config.asn, identity.site, identity.instance);
    this.alarms = new Alarms(clock, journal);
    this.#vips = config.vips.map((vipConfig) => {
      const vip = new Vip({
        config: vipConfig,
        clock,
        journal,
        onDecision: (_vip, entry) => this.#decided(guarded, entry),
        onServiceDraining: () => this.#releaseIfWithdrawn(guarded),
        flaps: options.flaps,
      });
      const guarded: Guarded = { vip, check: options.openCheck(vipConfig, vip), drain: undefined, returns: undefined };
      return guarded;
    });
    const watch = config.vips.map((vip) => vip.prefix);
    this.#peers = config.peers.map((peerConfig) => {
      const { origin } = this;
      const onPaths = (): void => this.#ruleDrains();
      return new Peer({ config: peerConfig, journal, origin, onPaths }, (onEvent) =>
        options.openSession(peerConfig, watch, onEvent),
      );
    });
    this.bfd = new BfdWatch(options.openBfd, config.peers, journal, (address) => {
      for (const peer of this.#peers) if (peer.config.address === address) peer.bfdDown();
    });
    this.kernel = options.kernel;
    this.#speakers = this.kernel === undefined ? this.#peers : [...this.#peers, this.kernel];
  }

  get config(): AnnouncerConfig {
    return this.#options.config;
  }

  get vips(): readonly Vip[] {
    return this.#vips.map(({ vip }) => vip);
  }

  get peers(): readonly { readonly config: PeerConfig; readonly status: SessionStatus }[] {
    return this.#peers.map(({ config, status }) => ({ config, status }));
  }

  /** Somebody hears what is announced. */
  get listeners(): number {
    return this.#speakers.filter(({ established }) => established).length;
  }

  drainOf(vip: Vip): Drain | undefined {
    return this.#vips.find((guarded) => guarded.vip === vip)?.drain;
  }

  /** Peers that have sent a path for the VIP which is not ours. */
  otherOrigins(vip: Vip): readonly { readonly peer: string; readonly path: ReceivedPath }[] {
    return this.#peers.flatMap(({ config, others }) => {
      const path = others.get(vip.name);
      return path === undefined ? [] : [{ peer: config.address, path }];
    });
  }

  start(): void {
    this.#started = true;
    this.#restoreDrains();
    for (const speaker of this.#speakers) speaker.start();
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

  drain(targets: readonly Vip[], request: DrainRequest): void {
    this.#journalOperator("drain", targets, request.reason, request.forced);
    for (const guarded of this.#guarded(targets)) this.#beginDrain(guarded, "operator", request);
    this.#saveDrains();
    this.#ruleDrains();
  }

  undrain(targets: readonly Vip[], reason: string): void {
    this.#journalOperator("undrain", targets, reason, false);
    for (const guarded of this.#guarded(targets)) this.#endDrain(guarded, "operator-undrain", reason);
  }

  /** Drains everything, withdraws, closes the sessions with a Cease. At most `drain.max` plus the closing. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const request: DrainRequest = { reason: "the announcer is stopping", forced: false, lasts: undefined };
    for (const guarded of this.#vips) this.#beginDrain(guarded, "announcer", request);
    const done = new Promise<void>((resolve) => void (this.#allWithdrawn = resolve));
    this.#ruleDrains();
    await done;
    for (const timer of this.#timers) timer.cancel();
    for (const { check } of this.#vips) check.stop();
    const { site, instance } = this.#options.identity;
    const text = `stitch ${site}/${instance}: planned stop`;
    await Promise.all([...this.#speakers.map((speaker) => speaker.stop(text)), this.bfd.stop()]);
  }

  /** Nobody takes over a drain of the stopping announcer: its end could then be put off for ever. */
  #beginDrain(guarded: Guarded, by: DrainedBy, request: DrainRequest): void {
    if (guarded.drain?.by === "announcer") return;
    this.#recordDrain(guarded, by, request);
    guarded.vip.apply({ kind: "drain", by }, request.reason);
  }

  #recordDrain(guarded: Guarded, by: DrainedBy, request: DrainRequest): void {
    const { clock } = this.#options;
    const { lasts } = request;
    const began = guarded.drain?.began ?? clock.now();
    const until = lasts === undefined ? undefined : later(clock.now(), lasts);
    guarded.drain = { ...request, by, began, until, ruling: { kind: "wait", detail: "" } };
    guarded.returns?.cancel();
    const over = (): void => this.#endDrain(guarded, "drain-expired", "its time is over");
    guarded.returns = lasts === undefined ? undefined : clock.after("drain-return", lasts, over);
  }

  /** The service may be stopping meanwhile: then its own drain goes on where the operator's ends, deadline included. */
  #endDrain(guarded: Guarded, reason: "operator-undrain" | "drain-expired", detail: string): void {
    const { drain, vip } = guarded;
    if (drain?.by !== "operator") return;
    guarded.returns?.cancel();
    const stopping = vip.lastReport?.phase === "draining";
    const goesOn = stopping && vip.situation.state.name === "DRAINING";
    guarded.drain = goesOn ? { ...drain, ...SERVICE_STOPS, by: "service", until: undefined } : undefined;
    vip.apply({ kind: "undrain", reason, stopping }, detail);
    this.#saveDrains();
  }

  /** Before any check has answered, so that nothing drained is announced meanwhile. */
  #restoreDrains(): void {
    const wall = this.#options.clock.wallMicros();
    for (const { vip, reason, forced, withdrawn, returnsAt } of this.#options.savedDrains.read()) {
      const lasts = returnsAt === undefined ? undefined : milliseconds((returnsAt - wall) / 1_000);
      const guarded = this.#vips.find((candidate) => candidate.vip.name === vip);
      if (guarded === undefined || (lasts !== undefined && lasts <= 0)) continue;
      this.#recordDrain(guarded, "operator", { reason, forced, lasts });
      if (withdrawn) guarded.vip.apply({ kind: "drain", by: "operator" }, reason);
    }
  }

  /** A drain that was still on last resort when we were restarted goes back there as soon as the VIP has risen. */
  #resumeDrain(guarded: Guarded): boolean {
    const { drain, vip } = guarded;
    if (vip.situation.state.name !== "UP" || drain?.by !== "operator") return false;
    guarded.drain = { ...drain, began: this.#options.clock.now() };
    return vip.apply({ kind: "drain", by: "operator" }, drain.reason);
  }

  #saveDrains(): void {
    const { clock, savedDrains } = this.#options;
    const drains = this.#vips.flatMap(({ vip, drain }): SavedDrain[] => {
      if (drain?.by !== "operator") return [];
      const { reason, forced, until } = drain;
      const left = until === undefined ? undefined : elapsed(clock.now(), until);
      const withdrawn = vip.situation.state.name === "DRAINED";
      return [
        { vip: vip.name, reason, forced, withdrawn, ...(left && { returnsAt: clock.wallMicros() + left * 1_000 }) },
      ];
    });
    savedDrains.save(drains);
  }

  /** Asks the guard about every VIP that waits for its planned withdrawal. */
  #ruleDrains(): void {
    for (const guarded of this.#vips) {
      if (guarded.vip.situation.state.name === "DRAINING" && guarded.drain !== undefined)
        this.#rule(guarded, guarded.drain);
    }
    this.#noticeAllWithdrawn();
  }

  #rule(guarded: Guarded, drain: Drain): void {
    const { config, clock, journal, evidence } = this.#options;
    const origins = this.otherOrigins(guarded.vip);
    const ruling = ruleDrain({
      stopping: drain.by !== "operator" || guarded.vip.lastReport?.phase === "draining",
      forced: drain.forced,
      began: drain.began,
      now: clock.now(),
      listeners: this.listeners,
      otherOrigin: origins.length > 0,
      stayingOrigin: origins.some(({ path }) => !isLeaving(path)),
      sibling: evidence.sibling(guarded.vip.name),
      clients: evidence.clients(guarded.vip.name),
      time: config.drain.time,
      max: config.drain.max,
    });
    const before = drain.ruling.kind;
    drain.ruling = ruling;
    if (ruling.kind === "withdraw") guarded.vip.apply({ kind: "withdraw", reason: ruling.reason }, ruling.detail);
    else if (ruling.kind === "held" && before !== "held") {
      journal.append({ kind: "held", vip: guarded.vip.name, detail: ruling.detail });
    }
  }

  #noticeAllWithdrawn(): void {
    if (this.#vips.every(({ vip }) => vip.wish === "none")) this.#allWithdrawn?.();
  }

  /** A decision has been journalled: tell the routers first, then see to what follows from it. */
  #decided(guarded: Guarded, entry: JournalEntry): void {
    if (this.#resumeDrain(guarded)) return;
    for (const speaker of this.#speakers) speaker.cause = entry.id;
    this.#advertise();
    const { state } = guarded.vip.situation;
    if (state.name === "DRAINING" && state.by === "service" && guarded.drain === undefined)
      this.#beginDrain(guarded, "service", SERVICE_STOPS);
    if (entry.kind === "decision" && entry.from === "DRAINING") {
      if (state.name === "DOWN") guarded.drain = undefined;
      if (guarded.drain?.by === "operator") this.#saveDrains();
    }
    this.#releaseIfWithdrawn(guarded);
  }

  /** The withdrawal is on its way; letting go of the lease tells the service that it may close after its linger. */
  #releaseIfWithdrawn({ vip, check }: Guarded): void {
    if (vip.wish === "none" && vip.lastReport?.phase === "draining") check.release();
  }

  #advertise(): void {
    if (!this.#started) return;
    const advertisements = this.#vips.flatMap(({ vip }) => {
      const { state, verdict } = vip.situation;
      const advertisement = advertisementFor(vip.prefix, wish(state, verdict), this.origin, vip.loadMark);
      return advertisement === undefined ? [] : [advertisement];
    });
    for (const speaker of this.#speakers) speaker.set(advertisements);
  }

  async #checkAddresses(): Promise<void> {
    for (const { vip } of this.#vips) {
      const { address } = vip.prefix;
      vip.addressChecked(this.kernel?.hasAddress(address) ?? (await this.#options.addressIsLocal(address)));
    }
  }

  #guarded(targets: readonly Vip[]): Guarded[] {
    return this.#vips.filter(({ vip }) => targets.includes(vip));
  }

  #journalOperator(action: "drain" | "undrain", targets: readonly Vip[], reason: string, forced: boolean): void {
    const vips = targets.map(({ name }) => name);
    this.#options.journal.append({ kind: "operator", action, vips, reason, forced });
  }
}
