import { milliseconds, seconds, type Clock, type Duration } from "@stitch/clock";
import type { ClockState, Unsynchronised } from "./clock-state.ts";
import { StepWatch } from "./step-watch.ts";

/**
 * What the main thread said of the clock is worth this long; it says so every WATCH_INTERVAL. Beyond it the main thread
 * hangs, and with it whoever would notice that the daemon is gone. The dispersion that the state gains meanwhile, 15 ppm
 * of a second, is what the protocol's fields round away.
 */
const STATE_LIFETIME: Duration = seconds(1);
const LIFETIME_MICROS = STATE_LIFETIME * 1_000;
/** How often a worker looks by itself, so that a step does not stay unseen for want of requests. */
export const WORKER_WATCH_INTERVAL: Duration = milliseconds(100);

/** What is true of the clock, and the wall time, in microseconds, at which the main thread knew it. */
export interface ToldState {
  readonly state: ClockState;
  readonly wallMicros: number;
}

const STEPPED: Unsynchronised = { kind: "unsynchronised", kiss: "STEP", detail: "the clock was stepped" };
const UNTOLD: Unsynchronised = { kind: "unsynchronised", kiss: "", detail: "the main thread has fallen silent" };

/**
 * The host's clock as a worker knows it: what the main thread says, as long as it says so, and its own eyes for steps.
 *
 * Normal: the main thread says ten times a second how good the clock is. Hard: it hangs. Its last word ages, and after a
 * second the worker answers "unsynchronised", however good the clock may still be. Hard in another way: the process was
 * stopped for an hour. The batch that comes first finds the last word an hour old; and so is one that waited in between,
 * for it carries the time at which it was said. Also hard: the clock is stepped, and the next request comes before the
 * main thread has looked. The worker looks before every batch.
 */
export class ToldClock {
  readonly #clock: Clock;
  readonly #serve: (state: ClockState) => void;
  readonly #steps: StepWatch;
  #told: ToldState | undefined;
  #serving: ClockState | undefined;

  /** `serve` is called whenever what is to be told of the clock is another state. */
  constructor(clock: Clock, serve: (state: ClockState) => void) {
    this.#clock = clock;
    this.#serve = serve;
    this.#steps = new StepWatch(clock);
  }

  /** True for a while after this thread saw the wall clock jump. */
  get stepped(): boolean {
    return this.#steps.stepped;
  }

  hear(told: ToldState): void {
    this.#told = told;
    if (told.state.kind === "synchronised") this.#steps.announced(told.state.leap, this.#clock.now());
    this.look();
  }

  /** To be called before a batch is decided, and now and then. */
  look(): void {
    this.#steps.look();
    const state = this.#state();
    if (state === undefined || state === this.#serving) return;
    this.#serving = state;
    this.#serve(state);
  }

  #state(): ClockState | undefined {
    if (this.#steps.stepped) return STEPPED;
    if (this.#told === undefined) return undefined;
    const age = this.#clock.wallMicros() - this.#told.wallMicros;
    return Math.abs(age) > LIFETIME_MICROS ? UNTOLD : this.#told.state;
  }
}
