import type { Clock } from "@stitch/clock";
import { referenceIdOf, timestampOf } from "../wire/index.ts";
import { OWN_PRECISION } from "./clock-state.ts";
import type { ClockSource, SourceAnswer } from "./source.ts";

/** Worse than any server that follows one, good enough to be followed in a lab. */
const LOCAL_STRATUM = 10;
/** Seconds. Nobody knows how far off the clock is; the figure only keeps clients from taking it for a good one. */
const LOCAL_DISPERSION = 0.01;

/** The host's clock as it is, disciplined or not: for labs and the demo. Never chosen by `auto`. */
export class LocalSource implements ClockSource {
  readonly name = "local clock";
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  read(): Promise<SourceAnswer> {
    const clock = this.#clock;
    return Promise.resolve({
      kind: "reading",
      reading: {
        at: clock.now(),
        leap: 0,
        stratum: LOCAL_STRATUM,
        precision: OWN_PRECISION,
        referenceId: referenceIdOf("LOCL"),
        reference: timestampOf(clock.wallMicros()),
        rootDelay: 0,
        rootDispersion: LOCAL_DISPERSION,
      },
    });
  }
}
