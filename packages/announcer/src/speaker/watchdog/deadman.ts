import { scaled, type Clock, type Duration, type Timer } from "@stitch/clock";

/** Heartbeats, and looks for them, within the bound. */
export const BEATS = 6;

/**
 * Notices silence. It counts looks without a heartbeat, not time: a machine that stalls as a whole stalls the looks too,
 * and after it a heartbeat that waits in the pipe is read before the next look.
 */
export class Deadman {
  readonly #timer: Timer;
  readonly #onSilence: () => void;
  #silentLooks = 0;

  constructor(clock: Clock, bound: Duration, onSilence: () => void) {
    this.#onSilence = onSilence;
    this.#timer = clock.every("deadman", scaled(bound, 1 / BEATS), () => this.#look());
  }

  beat(): void {
    this.#silentLooks = 0;
  }

  stop(): void {
    this.#timer.cancel();
  }

  /** Once for each silence: nothing new can be there to flush before the next heartbeat. */
  #look(): void {
    this.#silentLooks += 1;
    if (this.#silentLooks === BEATS) this.#onSilence();
  }
}
