import { elapsed, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import type { Leap } from "../wire/index.ts";
import { StepDetector } from "./step-detector.ts";

/** After a jump nothing is believed for this long: the daemon needs a few polls of its own to see it. */
const STEP_HOLD: Duration = seconds(10);

/** A daemon may take its announcement of a leap second back before the step is seen, and is believed for this long. */
const ANNOUNCEMENT_MEMORY: Duration = seconds(90);
/** Pairs of clock readings tried until one is narrow enough. */
const PAIR_ATTEMPTS = 4;

/** Knows whether the wall clock of this host jumped a moment ago. Every thread that tells the time has its own. */
export class StepWatch {
  readonly #clock: Clock;
  readonly #steps = new StepDetector();
  /** The leap second that was announced last, and when. */
  #announced: { readonly leap: Leap; readonly at: Instant } | undefined;
  #steppedAt: Instant | undefined;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Jumps so far. */
  get count(): number {
    return this.#count;
  }

  /** True for STEP_HOLD after a jump. */
  get stepped(): boolean {
    return this.#steppedAt !== undefined && elapsed(this.#steppedAt, this.#clock.now()) < STEP_HOLD;
  }

  /** What the daemon said of leap seconds at `at`. */
  announced(leap: Leap, at: Instant): void {
    if (leap === 1 || leap === 2) this.#announced = { leap, at };
  }

  /** Compares the two clocks now. */
  look(): void {
    const clock = this.#clock;
    const leap = this.#expectedLeap(clock.now());
    for (let attempt = 0; attempt < PAIR_ATTEMPTS; attempt += 1) {
      const before = clock.now();
      const wallMicros = clock.wallMicros();
      const seen = this.#steps.observe({ before, wallMicros, after: clock.now() }, leap);
      if (seen === "uncertain") continue;
      if (seen === 0) return;
      this.#count += 1;
      this.#steppedAt = before;
      return;
    }
  }

  #expectedLeap(now: Instant): Leap {
    const { leap, at } = this.#announced ?? { leap: 0, at: now };
    return elapsed(at, now) < ANNOUNCEMENT_MEMORY ? leap : 0;
  }
}
