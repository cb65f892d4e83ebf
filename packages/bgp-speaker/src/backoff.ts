import { type Duration, milliseconds, scaled, seconds } from "@stitch/clock";

import type { Pace } from "./fsm.ts";

const LADDER: readonly Duration[] = [seconds(1), seconds(2), seconds(5), seconds(10)];
const LAST_RUNG = LADDER.length - 1;
/**
 * "Soon" is for a router that still holds the session of our previous life; it gives it up after its hold time. One that
 * turns us away for more attempts than this (1.5 s each, so for more than 90 s) has another reason.
 */
const MAX_SOON = 90;

/**
 * Waits between attempts. The ladder climbs with every wait, so that a peer that fails us is not stormed; it starts
 * again only after a session that outlived its hold time (a session that dies young is a failed attempt too).
 */
export class Backoff {
  readonly #random: () => number;
  #rung = 0;
  #soon = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  reset(): void {
    this.#rung = 0;
    this.#soon = 0;
  }

  next(pace: Pace): Duration {
    switch (pace) {
      case "soon":
        if (this.#soon >= MAX_SOON) return this.next("ladder");
        this.#soon += 1;
        return milliseconds(1_000 + 1_000 * this.#random());
      case "penalty":
        return milliseconds(30_000 + 30_000 * this.#random());
      case "ladder": {
        const rung = LADDER[this.#rung] ?? seconds(10);
        this.#rung = Math.min(this.#rung + 1, LAST_RUNG);
        return jittered(rung, this.#random);
      }
    }
  }
}

/** RFC 4271 section 10: a timer's value times 0.75 to 1.0. */
export function jittered(duration: Duration, random: () => number): Duration {
  return scaled(duration, 0.75 + 0.25 * random());
}
