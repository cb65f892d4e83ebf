import type { Duration } from "@stitch/clock";
import type { WithdrawReason } from "../decision/machine.ts";
import type { Vip } from "../vip.ts";

export interface DrainTimes {
  readonly time: Duration;
  readonly max: Duration;
}

/** A withdrawal that is due, `at` in microseconds of wall time. */
export interface Due {
  readonly at: number;
  readonly reason: WithdrawReason;
}

/** The last-origin guard of a replay: the order of things is the policy's, the evidence the recording's. */
export class RecordedGuard {
  readonly #vip: Vip;
  readonly #times: DrainTimes;
  #began: number | undefined;
  #forced = false;
  #permission: Due | undefined;

  constructor(vip: Vip, times: DrainTimes) {
    this.#vip = vip;
    this.#times = times;
  }

  /** After everything that may have moved the VIP: whether it is on its last resort now. */
  look(now: number): void {
    const draining = this.#vip.situation.state.name === "DRAINING";
    this.#began = draining ? (this.#began ?? now) : undefined;
    if (!draining) this.#permission = undefined;
  }

  force(forced: boolean): void {
    this.#forced = forced;
  }

  permit(reason: WithdrawReason, at: number): void {
    if (this.#began !== undefined) this.#permission ??= { reason, at };
  }

  /** When the last resort is over, and why; undefined while nothing ends it. */
  get due(): Due | undefined {
    const { state } = this.#vip.situation;
    if (this.#began === undefined || state.name !== "DRAINING") return undefined;
    const [moved, deadline] = [this.#times.time, this.#times.max].map((time) => (this.#began ?? 0) + time * 1_000);
    const ends: Due[] = [];
    if (this.#permission !== undefined) ends.push(atLeast(this.#permission, moved ?? 0));
    if (this.#forced && state.by === "operator") ends.push({ reason: "drain-forced", at: moved ?? 0 });
    if (this.#stopping) ends.push({ reason: "drain-deadline", at: deadline ?? 0 });
    return ends.toSorted((a, b) => a.at - b.at)[0];
  }

  get #stopping(): boolean {
    const { state } = this.#vip.situation;
    return (state.name === "DRAINING" && state.by === "service") || this.#vip.lastReport?.phase === "draining";
  }
}

/** Where nobody listens nobody has to be moved. */
function atLeast({ reason, at }: Due, moved: number): Due {
  return { reason, at: reason === "nobody-listens" ? at : Math.max(at, moved) };
}
