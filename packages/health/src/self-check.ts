import {
  elapsed,
  formatDuration,
  milliseconds,
  type Clock,
  type Duration,
  type Instant,
  type Timer,
} from "@stitch/clock";
import type { Health, ReasonClass } from "./health.ts";
import type { SelfCheckReason } from "./reasons.ts";

/** What one use of the service, as a client would use it, came to. */
export type ProbeResult =
  | { readonly kind: "answered" }
  | { readonly kind: "wrong"; readonly detail: string }
  | { readonly kind: "silent"; readonly detail: string };

/** Asks the service through its own VIP socket and resolves within `limit`; it may reject, which counts as silent. */
export type Probe = (limit: Duration) => Promise<ProbeResult>;

/** A number that grows while the service works or is flooded, or one for each of its workers. */
export type Progress = () => number | readonly number[];

export const PROBE_INTERVAL: Duration = milliseconds(100);
export const PROBE_LIMIT: Duration = milliseconds(250);
/** A check that took longer than this proves nothing about now and renews nothing. */
export const RENEWAL_AGE: Duration = milliseconds(300);
/**
 * A service that works and has left the probe unanswered for this long is flooded. To wait for the probe's limit would only age
 * the renewal: on a saturated machine the check's own timers are late, and two renewals missed in a row lose the lease.
 */
const FLOODED_AFTER: Duration = milliseconds(150);
/**
 * Probes of one check while some worker has shown no life: the kernel deals them out by their source port, so of two
 * workers one is missed once in a hundred checks, and nothing but the next check is made of that.
 */
const MOST_PROBES = 8;
/** A further probe must have time enough to be answered: silence is only what has been waited for. */
const LAST_PROBE: Duration = milliseconds(125);
/** One lost loopback datagram is no death: this many silent probes in a row are. */
const SILENT_PROBES = 2;
/** A probe that has not kept its own limit by now is taken for silent, whatever it says later. */
const PROBE_OVERDUE: Duration = milliseconds(275);
/** Probes that never came back; beyond this none is added, lest a broken probe fill the memory over night. */
const MOST_OUTSTANDING = 8;
/**
 * When this process itself was stopped or busy, the deadline fires before the input that arrived meanwhile is read.
 * This long the loop turns before silence is believed.
 */
const PENDING_INPUT: Duration = milliseconds(20);

const FLOODED: ProbeResult = { kind: "silent", detail: `no answer within ${formatDuration(FLOODED_AFTER)}` };

export interface SelfCheckOptions {
  readonly health: Health;
  readonly clock: Clock;
  readonly probe: Probe;
  /** Datagrams served plus kernel drops. */
  readonly progress: Progress;
  /** Called by the completion of a check younger than RENEWAL_AGE, and by nothing else. */
  readonly onRenewal: () => void;
}

/**
 * Uses the service several times a second and turns what it finds into reasons.
 *
 * Normal: a probe starts every 100 ms, is answered within a millisecond, and its completion renews the lease.
 * Hard: a probe stays unanswered. If the service made progress meanwhile it is alive and flooded: after 150 ms reason `overloaded`,
 * class load, and the lease is renewed, else a flood would walk from site to site. If it made none, a second silent
 * probe, 250 ms each, makes it `unresponsive`, class dead.
 * Hard with workers: each has a socket of its own, and one may be deaf while its neighbours answer. So probes go on, from
 * new source ports, until every worker has made progress, and silence counts against those that made none.
 */
export class SelfCheck {
  readonly #options: SelfCheckOptions;
  #timer: Timer | undefined;
  #running = false;
  #stopped = false;
  #outstanding = 0;
  /** Per worker: silent checks in a row in which it made no progress. */
  #silent: readonly number[] = [];
  #completed = 0;
  #answered = 0;

  constructor(options: SelfCheckOptions) {
    this.#options = options;
  }

  /** Checks completed so far, answered or not. */
  get completed(): number {
    return this.#completed;
  }

  /** Checks that were answered, and rightly. */
  get answered(): number {
    return this.#answered;
  }

  start(): void {
    this.#stopped = false;
    this.#timer ??= this.#options.clock.every("self-check", PROBE_INTERVAL, () => void this.check());
  }

  /** A check that is under way comes to nothing. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** One check now; does nothing while another runs. */
  async check(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      await this.#check();
    } finally {
      this.#running = false;
    }
  }

  async #check(): Promise<void> {
    const { clock } = this.#options;
    const began = clock.now();
    const before = this.#progress();
    const moved = (): boolean[] => this.#progress().map((now, worker) => now > (before[worker] ?? 0));
    const allMoved = (): boolean => moved().every(Boolean);
    const result = await this.#askedOrFlooded(began, before.length, allMoved);
    if (result.kind === "silent" && !allMoved()) await this.#readPendingInput();
    if (this.#stopped) return;
    this.#completed += 1;
    if (result.kind === "answered") this.#answered += 1;
    const alive = this.#judge(result, moved());
    if (alive && elapsed(began, clock.now()) < RENEWAL_AGE) this.#options.onRenewal();
  }

  /** What asking comes to, or silence as soon as it is known to be a flood's. */
  async #askedOrFlooded(began: Instant, workers: number, progressed: () => boolean): Promise<ProbeResult> {
    const { promise: flooded, resolve } = Promise.withResolvers<ProbeResult>();
    const look = this.#options.clock.after(
      "self-check-flooded",
      milliseconds(FLOODED_AFTER - PENDING_INPUT),
      async () => {
        await this.#readPendingInput();
        if (progressed()) resolve(FLOODED);
      },
    );
    const result = await Promise.race([this.#askAll(began, workers, progressed), flooded]);
    look.cancel();
    return result;
  }

  #progress(): readonly number[] {
    const progress = this.#options.progress();
    return typeof progress === "number" ? [progress] : progress;
  }

  /** Asks until every worker has shown life; whatever is not answered ends it. */
  async #askAll(began: Instant, workers: number, complete: () => boolean): Promise<ProbeResult> {
    const { clock } = this.#options;
    for (let probes = 1; ; probes += 1) {
      const spent = elapsed(began, clock.now());
      const result = await this.#ask(spent);
      const enough = workers === 1 || probes === MOST_PROBES || complete();
      if (result.kind !== "answered" || enough || elapsed(began, clock.now()) > LAST_PROBE) return result;
    }
  }

  /** The probe's result, or silence when it does not come back; never rejects. `spent` of the check's time is over. */
  async #ask(spent: Duration): Promise<ProbeResult> {
    if (this.#outstanding >= MOST_OUTSTANDING) {
      return { kind: "silent", detail: "earlier probes have not come back" };
    }
    const { promise: overdue, resolve } = Promise.withResolvers<ProbeResult>();
    const left = (limit: Duration): Duration => milliseconds(limit - spent);
    const guard = this.#options.clock.after("self-check-overdue", left(PROBE_OVERDUE), () =>
      resolve({ kind: "silent", detail: "the probe has not come back" }),
    );
    const result = await Promise.race([this.#probed(left(PROBE_LIMIT)), overdue]);
    guard.cancel();
    return result;
  }

  async #probed(limit: Duration): Promise<ProbeResult> {
    this.#outstanding += 1;
    try {
      return await this.#options.probe(limit);
    } catch (failure) {
      return { kind: "silent", detail: failure instanceof Error ? failure.message : String(failure) };
    } finally {
      this.#outstanding -= 1;
    }
  }

  #readPendingInput(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after("pending-input", PENDING_INPUT, resolve));
  }

  /** True when the service has shown that it lives. */
  #judge(result: ProbeResult, moved: readonly boolean[]): boolean {
    const silent = result.kind === "silent";
    const detail = result.kind === "answered" ? "" : result.detail;
    const progressed = moved.every(Boolean);
    this.#silent = moved.map((did, worker) =>
      this.#silentChecks(worker, did || (!silent && moved.length === 1), silent),
    );
    this.#set("wrong-answer", "dead", result.kind === "wrong", detail);
    if (!silent || progressed) this.#set("overloaded", "load", silent, detail);
    const most = Math.max(...this.#silent);
    if (most >= SILENT_PROBES) this.#set("unresponsive", "dead", true, this.#unresponsive(detail));
    else if (most === 0) this.#set("unresponsive", "dead", false, "");
    return !silent || progressed;
  }

  /** A worker that no probe of an answered check came to has proven nothing: what was counted against it stays. */
  #silentChecks(worker: number, lives: boolean, silent: boolean): number {
    if (lives) return 0;
    return (this.#silent[worker] ?? 0) + (silent ? 1 : 0);
  }

  #unresponsive(detail: string): string {
    if (this.#silent.length === 1) return detail;
    const deaf = [...this.#silent.entries()].filter(([, checks]) => checks >= SILENT_PROBES).map(([i]) => i + 1);
    return `of ${this.#silent.length} workers these made no progress: ${deaf.join(", ")}`;
  }

  #set(code: SelfCheckReason, reasonClass: ReasonClass, holds: boolean, detail: string): void {
    if (holds) this.#options.health.raise(code, reasonClass, detail);
    else this.#options.health.clear(code);
  }
}
