import { elapsed, milliseconds, seconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import { LEAP_UNKNOWN } from "../wire/index.ts";
import type { ClockReading, ClockState, Unsynchronised } from "./clock-state.ts";
import type { ClockSource, SourceAnswer } from "./source.ts";
import { StepWatch } from "./step-watch.ts";

/** How often the source is asked. */
const POLL_INTERVAL: Duration = seconds(1);
/** How long one answer may take. */
const POLL_LIMIT: Duration = milliseconds(800);
/** A source that has been silent for longer says nothing about now. */
const READING_LIFETIME: Duration = seconds(10);
/** How often the two clocks are compared and the state is worked out anew. */
const WATCH_INTERVAL: Duration = milliseconds(100);

/** Seconds of error per second: RFC 5905's PHI, the worst frequency error of a disciplined clock. */
const PHI = 15e-6;
/** Strata of a synchronised server. */
const LARGEST_STRATUM = 15;

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
  readonly #steps: StepWatch;
  readonly #timers: Timer[] = [];
  #reading: ClockReading | undefined;
  #failure = "has not been asked yet";
  #wasSynchronised = false;
  #asking = false;
  #polls = 0;
  #silentPolls = 0;

  constructor(options: HostClockOptions) {
    this.#options = options;
    this.#steps = new StepWatch(options.clock);
  }

  get stepCount(): number {
    return this.#steps.count;
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
    return this.#steps.stepped;
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
    this.#steps.announced(reading.leap, reading.at);
  }

  #watch(): void {
    this.#steps.look();
    this.#options.onState(this.state());
  }

  #lost(detail: string): Unsynchronised {
    return unsynchronised(this.#wasSynchronised ? "" : "INIT", detail);
  }
}

function unsynchronised(kiss: Unsynchronised["kiss"], detail: string): Unsynchronised {
  return { kind: "unsynchronised", kiss, detail };
}
