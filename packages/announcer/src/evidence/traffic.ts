import { elapsed, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import { SELF_CHECK, sumOf } from "../check/prometheus.ts";
import type { TrafficConfig } from "../config/evidence.ts";
import type { Clients } from "../decision/drain.ts";
import type { Page } from "./page.ts";

/** Between two readings. A rate over less would jump with every burst. */
const READ_EVERY: Duration = seconds(1);
/** A rate that is older than this says nothing about now. */
const STALE_AFTER: Duration = seconds(5);

interface Reading {
  readonly total: number;
  readonly at: Instant;
}

/** The rate of one service's packet counter. Read while someone asks, and not otherwise. */
export class Traffic {
  readonly #config: TrafficConfig;
  readonly #clock: Clock;
  readonly #page: Page;
  #last: Reading | undefined;
  #rate: number | undefined;
  #asked: Instant | undefined;
  #unreadable = false;

  constructor(config: TrafficConfig, clock: Clock, page: Page) {
    this.#config = config;
    this.#clock = clock;
    this.#page = page;
  }

  get clients(): Clients {
    const { rate } = this;
    if (rate !== undefined) return rate > this.#config.quiet ? "flowing" : "quiet";
    return this.#unreadable ? "unknown" : "measuring";
  }

  /** Packets a second; undefined while it is not known. Asking reads the counter again, at most once a second. */
  get rate(): number | undefined {
    const now = this.#clock.now();
    if (this.#asked === undefined || elapsed(this.#asked, now) >= READ_EVERY) {
      this.#asked = now;
      void this.#read();
    }
    const fresh = this.#last !== undefined && elapsed(this.#last.at, now) <= STALE_AFTER;
    return fresh ? this.#rate : undefined;
  }

  async #read(): Promise<void> {
    const { metrics, counter } = this.#config;
    const answer = await this.#page(metrics);
    const total = answer === undefined ? undefined : sumOf(answer.body, counter, SELF_CHECK);
    const now = total === undefined ? undefined : { total, at: this.#clock.now() };
    this.#rate = rateOf(this.#last, now);
    this.#last = now;
    this.#unreadable = now === undefined;
  }
}

/** A counter that went back is a service that was restarted: its past is gone. */
function rateOf(before: Reading | undefined, now: Reading | undefined): number | undefined {
  if (before === undefined || now === undefined || now.total < before.total) return undefined;
  const took = elapsed(before.at, now.at);
  return took > STALE_AFTER || took <= 0 ? undefined : ((now.total - before.total) * 1_000) / took;
}
