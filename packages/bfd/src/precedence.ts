import { type Clock, type Duration, elapsed, type Instant, minutes } from "@stitch/clock";

/** How the thread stands to all others of the machine: before them, with a larger share, or as one of them. */
export type Precedence = "realtime" | "nice" | "none";

/**
 * Share of a processor beyond which the thread is realtime no longer. Sixteen sessions at 50 ms need a fiftieth; who floods
 * the port from the link with forged packets would otherwise take a whole processor from the services.
 */
const MOST_SHARE = 0.25;
/** Then it has to be quiet for so long. */
export const PENANCE: Duration = minutes(1);

export interface PrecedenceOptions {
  readonly clock: Clock;
  /** Whether the system grants, or takes back, what is asked for. */
  readonly realtime: (on: boolean) => boolean;
  readonly nice: () => boolean;
  /** Processor time of this thread so far, in microseconds. */
  readonly used: () => number;
}

/**
 * Keeps the thread before others while it is modest. A nice value alone is not enough: on two processors with four
 * threads that never rest, one of nice -10 was seen to wait for 75 ms, and a realtime one for less than 1 ms.
 */
export class ThreadPrecedence {
  readonly #options: PrecedenceOptions;
  #now: Precedence;
  #looked: { readonly at: Instant; readonly used: number };
  #forbidden: Instant | undefined;

  constructor(options: PrecedenceOptions) {
    this.#options = options;
    const nice = options.nice(); // what is left when the other is taken back
    this.#now = options.realtime(true) ? "realtime" : nice ? "nice" : "none";
    this.#looked = { at: options.clock.now(), used: options.used() };
  }

  get now(): Precedence {
    return this.#now;
  }

  /** To be called now and then: what the thread has used since the last time decides. */
  look(): void {
    const { clock, used, realtime } = this.#options;
    const before = this.#looked;
    this.#looked = { at: clock.now(), used: used() };
    const spent = (this.#looked.used - before.used) / 1_000;
    const greedy = spent > MOST_SHARE * elapsed(before.at, this.#looked.at);
    if (greedy && (this.#now === "realtime" || this.#forbidden !== undefined)) this.#stepDown();
    else if (this.#forbidden !== undefined && elapsed(this.#forbidden, this.#looked.at) >= PENANCE) {
      this.#forbidden = undefined;
      if (realtime(true)) this.#now = "realtime";
    }
  }

  #stepDown(): void {
    this.#forbidden = this.#looked.at;
    if (this.#now === "realtime" && this.#options.realtime(false)) this.#now = "nice";
  }
}
