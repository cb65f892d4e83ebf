import { elapsed, milliseconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import type { Health, ReasonClass } from "./health.ts";
import type { SelfCheckReason } from "./reasons.ts";

/** What one use of the service, as a client would use it, came to. */
export type ProbeResult =
  | { readonly kind: "answered" }
  | { readonly kind: "wrong"; readonly detail: string }
  | { readonly kind: "silent"; readonly detail: string };

/** Asks the service through its own VIP socket and resolves within `limit`; it may reject, which counts as silent. */
export type Probe = (limit: Duration) => Promise<ProbeResult>;

export const PROBE_INTERVAL: Duration = milliseconds(100);
export const PROBE_LIMIT: Duration = milliseconds(250);
/** A check that took longer than this proves nothing about now and renews nothing. */
export const RENEWAL_AGE: Duration = milliseconds(300);
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

export interface SelfCheckOptions {
  readonly health: Health;
  readonly clock: Clock;
  readonly probe: Probe;
  /** Anything that grows while the service works or is flooded: datagrams served plus kernel drops. */
  readonly progress: () => number;
  /** Called by the completion of a check younger than RENEWAL_AGE, and by nothing else. */
  readonly onRenewal: () => void;
}

/**
 * Uses the service several times a second and turns what it finds into reasons.
 *
 * Normal: a probe starts every 100 ms, is answered within a millisecond, and its completion renews the lease.
 * Hard: a probe stays unanswered. If the service made progress meanwhile it is alive and flooded: reason `overloaded`,
 * class load, and the lease is renewed, else a flood would walk from site to site. If it made none, a second silent
 * probe makes it `unresponsive`, class dead.
 */
export class SelfCheck {
  readonly #options: SelfCheckOptions;
  #timer: Timer | undefined;
  #running = false;
  #stopped = false;
  #outstanding = 0;
  #silent = 0;
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
    const { clock, progress } = this.#options;
    const began = clock.now();
    const before = progress();
    const result = await this.#ask();
    if (result.kind === "silent" && progress() <= before) await this.#readPendingInput();
    if (this.#stopped) return;
    this.#completed += 1;
    if (result.kind === "answered") this.#answered += 1;
    const alive = this.#judge(result, progress() > before);
    if (alive && elapsed(began, clock.now()) < RENEWAL_AGE) this.#options.onRenewal();
  }

  /** The probe's result, or silence when it does not come back; never rejects. */
  async #ask(): Promise<ProbeResult> {
    if (this.#outstanding >= MOST_OUTSTANDING) {
      return { kind: "silent", detail: "earlier probes have not come back" };
    }
    const { promise: overdue, resolve } = Promise.withResolvers<ProbeResult>();
    const guard = this.#options.clock.after("self-check-overdue", PROBE_OVERDUE, () =>
      resolve({ kind: "silent", detail: "the probe has not come back" }),
    );
    const result = await Promise.race([this.#probed(), overdue]);
    guard.cancel();
    return result;
  }

  async #probed(): Promise<ProbeResult> {
    this.#outstanding += 1;
    try {
      return await this.#options.probe(PROBE_LIMIT);
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
  #judge(result: ProbeResult, progressed: boolean): boolean {
    const silent = result.kind === "silent";
    const detail = result.kind === "answered" ? "" : result.detail;
    this.#silent = silent && !progressed ? this.#silent + 1 : 0;
    this.#set("wrong-answer", "dead", result.kind === "wrong", detail);
    if (!silent || progressed) this.#set("overloaded", "load", silent, detail);
    const enough = this.#silent >= SILENT_PROBES;
    if (enough || this.#silent === 0) this.#set("unresponsive", "dead", enough, detail);
    return this.#silent === 0;
  }

  #set(code: SelfCheckReason, reasonClass: ReasonClass, holds: boolean, detail: string): void {
    if (holds) this.#options.health.raise(code, reasonClass, detail);
    else this.#options.health.clear(code);
  }
}
