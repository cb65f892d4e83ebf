import type { ReceivedPath } from "@stitch/bgp-speaker";
import { elapsed, later, milliseconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import type { RouteCheck } from "./check/observer.ts";
import { ruleDrain } from "./decision/drain.ts";
import type { DrainedBy } from "./decision/machine.ts";
import type { Evidence } from "./evidence/evidence.ts";
import type { Journal } from "./journal.ts";
import type { Drain, DrainRequest } from "./options.ts";
import { isLeaving } from "./route/advertisement.ts";
import type { SavedDrain, SavedDrains } from "./saved-drains.ts";
import type { Vip } from "./vip.ts";

export const SERVICE_STOPS: DrainRequest = { reason: "the service was told to stop", forced: false, lasts: undefined };

/** A VIP with what is done about it. */
export interface Guarded {
  readonly vip: Vip;
  check: RouteCheck;
  drain: Drain | undefined;
  returns: Timer | undefined;
}

export interface DrainsOptions {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly savedDrains: SavedDrains;
  readonly evidence: Evidence;
  readonly vips: () => readonly Guarded[];
  readonly times: () => { readonly time: Duration; readonly max: Duration };
  readonly otherOrigins: (vip: Vip) => readonly { readonly path: ReceivedPath }[];
  /** Who hears the last resort at all. */
  readonly listeners: () => number;
}

/** Planned withdrawals: who asked for one, until when, and what the last-origin guard says of it. */
export class Drains {
  readonly #options: DrainsOptions;

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  /** Nobody takes over a drain of the stopping announcer: its end could then be put off for ever. */
  begin(guarded: Guarded, by: DrainedBy, request: DrainRequest, cause?: number): void {
    if (guarded.drain?.by === "announcer") return;
    this.#record(guarded, by, request);
    guarded.vip.apply({ kind: "drain", by }, request.reason, cause);
  }

  #record(guarded: Guarded, by: DrainedBy, request: DrainRequest): void {
    const { clock } = this.#options;
    const { lasts } = request;
    const began = guarded.drain?.began ?? clock.now();
    const until = lasts === undefined ? undefined : later(clock.now(), lasts);
    guarded.drain = { ...request, by, began, until, ruling: { kind: "wait", detail: "" } };
    guarded.returns?.cancel();
    const over = (): void => this.end(guarded, "drain-expired", "its time is over");
    guarded.returns = lasts === undefined ? undefined : clock.after("drain-return", lasts, over);
  }

  /** The service may be stopping meanwhile: then its own drain goes on where the operator's ends, deadline included. */
  end(guarded: Guarded, reason: "operator-undrain" | "drain-expired", detail: string, cause?: number): void {
    const { drain, vip } = guarded;
    if (drain?.by !== "operator") return;
    guarded.returns?.cancel();
    const stopping = vip.lastReport?.phase === "draining";
    const goesOn = stopping && vip.situation.state.name === "DRAINING";
    guarded.drain = goesOn ? { ...drain, ...SERVICE_STOPS, by: "service", until: undefined } : undefined;
    vip.apply({ kind: "undrain", reason, stopping }, detail, cause);
    this.save();
  }

  /** Before any check has answered, so that nothing drained is announced meanwhile. */
  restore(): void {
    const wall = this.#options.clock.wallMicros();
    for (const { vip, reason, forced, withdrawn, returnsAt } of this.#options.savedDrains.read()) {
      const lasts = returnsAt === undefined ? undefined : milliseconds((returnsAt - wall) / 1_000);
      const guarded = this.#options.vips().find((candidate) => candidate.vip.name === vip);
      if (guarded === undefined || (lasts !== undefined && lasts <= 0)) continue;
      this.#record(guarded, "operator", { reason, forced, lasts });
      if (withdrawn) guarded.vip.apply({ kind: "drain", by: "operator" }, reason);
    }
  }

  /** A drain that was still on last resort when we were restarted goes back there as soon as the VIP has risen. */
  resume(guarded: Guarded): boolean {
    const { drain, vip } = guarded;
    if (vip.situation.state.name !== "UP" || drain?.by !== "operator") return false;
    guarded.drain = { ...drain, began: this.#options.clock.now() };
    return vip.apply({ kind: "drain", by: "operator" }, drain.reason);
  }

  save(): void {
    const { clock, savedDrains } = this.#options;
    const drains = this.#options.vips().flatMap(({ vip, drain }): SavedDrain[] => {
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
  rule(): void {
    for (const guarded of this.#options.vips()) {
      if (guarded.vip.situation.state.name === "DRAINING" && guarded.drain !== undefined)
        this.#rule(guarded, guarded.drain);
    }
  }

  #rule(guarded: Guarded, drain: Drain): void {
    const { clock, journal, evidence, times, otherOrigins, listeners } = this.#options;
    const { time, max } = times();
    const origins = otherOrigins(guarded.vip);
    const ruling = ruleDrain({
      stopping: drain.by !== "operator" || guarded.vip.lastReport?.phase === "draining",
      forced: drain.forced,
      began: drain.began,
      now: clock.now(),
      listeners: listeners(),
      otherOrigin: origins.length > 0,
      stayingOrigin: origins.some(({ path }) => !isLeaving(path)),
      sibling: evidence.sibling(guarded.vip.name),
      clients: evidence.clients(guarded.vip.name),
      time,
      max,
    });
    const before = drain.ruling.kind;
    drain.ruling = ruling;
    if (ruling.kind === "withdraw") guarded.vip.apply({ kind: "withdraw", reason: ruling.reason }, ruling.detail);
    else if (ruling.kind === "held" && before !== "held") {
      journal.append({ kind: "held", vip: guarded.vip.name, detail: ruling.detail });
    }
  }
}
