import { elapsed, milliseconds, seconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";
import { LEAP_UNKNOWN, type Leap } from "../wire/index.ts";
import type { ClockReading, ClockState, Unsynchronised } from "./clock-state.ts";
import type { ClockSource, SourceAnswer } from "./source.ts";
import { StepDetector } from "./step-detector.ts";

/** How often the source is asked. */
export const POLL_INTERVAL: Duration = seconds(1);
/** How long one answer may take. */
export const POLL_LIMIT: Duration = milliseconds(800);
/** A source that has been silent for longer says nothing about now. */
export const READING_LIFETIME: Duration = seconds(10);
/** How often the two clocks are compared and the state is worked out anew. */
export const WATCH_INTERVAL: Duration = milliseconds(100);
/** Two watches missed: this thread did not run, and the state is worked out before anything else. */
const LATE_WATCH: Duration = milliseconds(250);
/** After a jump nothing is believed for this long: the daemon needs a few polls of its own to see it. */
export const STEP_HOLD: Duration = seconds(10);

/** A daemon may take its announcement of a leap second back before the step is seen, and is believed for this long. */
const ANNOUNCEMENT_MEMORY: Duration = seconds(90);

/** Seconds of error per second: RFC 5905's PHI, the worst frequency error of a disciplined clock. */
const PHI = 15e-6;
/** Strata of a synchronised server. */
const LARGEST_STRATUM = 15;
/** Pairs of clock readings tried until one is narrow enough. */
const PAIR_ATTEMPTS = 4;

export interface HostClockOptions {
  readonly clock: Clock;
  readonly source: ClockSource;
  /** Called every WATCH_INTERVAL, and once at start. */
  readonly onState: (state: ClockState) => void;
}

/**
 * Knows how good the clock of this host is, now.
 *
 * Normal: the source answers every second, and between answers the error bound grows by 15 ppm. Hard: the source falls
 * silent. Its last word ages, the bound grows with it, and after 10 s the clock counts as unsynchronised, however good
 * it may still be. Hard in another way: the clock jumps. For 10 s nobody is told the time.
 */
export class HostClock {
  readonly #options: HostClockOptions;
  readonly #steps = new StepDetector();
  readonly #timers: Timer[] = [];
  #reading: ClockReading | undefined;
  /** The last reading that announced a leap second. */
  #announcement: ClockReading | undefined;
  #watchedAt: Instant | undefined;
  #failure = "has not been asked yet";
  #wasSynchronised = false;
  #steppedAt: Instant | undefined;
  #asking = false;
  #stepCount = 0;
  #polls = 0;
  #silentPolls = 0;

  constructor(options: HostClockOptions) {
    this.#options = options;
  }

  get stepCount(): number {
    return this.#stepCount;
  }

  get polls(): number {
    return this.#polls;
  }

  /** Polls that brought no reading. */
  get silentPolls(): number {
    return this.#silentPolls;
  }

  /** Age of what the source said last; undefined before it has said anything. */
  get readingAge(): Duration | undefined {
    return this.#reading && elapsed(this.#reading.at, this.#options.clock.now());
  }

  /** True for STEP_HOLD after a jump. */
  get stepped(): boolean {
    const { clock } = this.#options;
    return this.#steppedAt !== undefined && elapsed(this.#steppedAt, clock.now()) < STEP_HOLD;
  }

  /** Resolves after the first poll, whatever came of it. */
  async start(): Promise<void> {
    const { clock } = this.#options;
    this.#timers.push(
      clock.every("clock-watch", WATCH_INTERVAL, () => this.#watch()),
      clock.every("clock-poll", POLL_INTERVAL, () => void this.poll()),
    );
    await this.poll();
  }

  stop(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  /** Asks the source now; does nothing while an answer is awaited. */
  async poll(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const answer = await this.#ask();
    this.#asking = false;
    this.#polls += 1;
    if (answer.kind === "reading") this.#believe(answer.reading);
    else {
      this.#silentPolls += 1;
      this.#failure = answer.detail;
    }
    this.#watch();
  }

  /**
   * To be called before a batch is decided. A step is seen by the first request after it, not by the next timer; and a
   * process that was stopped reads what arrived meanwhile before its timers fire, with a state as old as the stop.
   */
  look(): void {
    const stepped = this.#compareClocks();
    const late = this.#watchedAt !== undefined && elapsed(this.#watchedAt, this.#options.clock.now()) > LATE_WATCH;
    if (stepped || late) this.#tell();
  }

  state(): ClockState {
    const { clock, source } = this.#options;
    const reading = this.#reading;
    if (this.stepped) return unsynchronised("STEP", "the clock was stepped");
    if (reading === undefined) return this.#lost(`${source.name}: ${this.#failure}`);
    const age = elapsed(reading.at, clock.now());
    if (age > READING_LIFETIME) return this.#lost(`${source.name} fell silent: ${this.#failure}`);
    const { leap, stratum } = reading;
    if (leap === LEAP_UNKNOWN || stratum < 1 || stratum > LARGEST_STRATUM) {
      return this.#lost(`${source.name} says that the clock is not synchronised`);
    }
    this.#wasSynchronised = true;
    const rootDispersion = reading.rootDispersion + (age / 1_000) * PHI;
    return { ...reading, kind: "synchronised", leap, rootDispersion };
  }

  async #ask(): Promise<SourceAnswer> {
    try {
      return await this.#options.source.read(POLL_LIMIT);
    } catch (failure) {
      return { kind: "none", detail: failure instanceof Error ? failure.message : String(failure) };
    }
  }

  #believe(reading: ClockReading): void {
    this.#reading = reading;
    if (reading.leap === 1 || reading.leap === 2) this.#announcement = reading;
  }

  #watch(): void {
    this.#compareClocks();
    this.#tell();
  }

  #tell(): void {
    this.#watchedAt = this.#options.clock.now();
    this.#options.onState(this.state());
  }

  #expectedLeap(now: Instant): Leap {
    const announced = this.#announcement;
    return announced !== undefined && elapsed(announced.at, now) < ANNOUNCEMENT_MEMORY ? announced.leap : 0;
  }

  /** True when the wall clock was stepped. */
  #compareClocks(): boolean {
    const { clock } = this.#options;
    const leap = this.#expectedLeap(clock.now());
    for (let attempt = 0; attempt < PAIR_ATTEMPTS; attempt += 1) {
      const before = clock.now();
      const wallMicros = clock.wallMicros();
      const seen = this.#steps.observe({ before, wallMicros, after: clock.now() }, leap);
      if (seen === "uncertain") continue;
      if (seen !== 0) {
        this.#stepCount += 1;
        this.#steppedAt = before;
      }
      return seen !== 0;
    }
    return false;
  }

  #lost(detail: string): Unsynchronised {
    return unsynchronised(this.#wasSynchronised ? "" : "INIT", detail);
  }
}

function unsynchronised(kiss: Unsynchronised["kiss"], detail: string): Unsynchronised {
  return { kind: "unsynchronised", kiss, detail };
}
