import type { Clock, Duration } from "@stitch/clock";
import { z } from "zod";
import { fell, penaltyAt, waitLeft, type DampingRules, type Flaps } from "./decision/flap.ts";
import { StateFile } from "./state-file.ts";

const savedFlaps = z.record(
  z.string(),
  z.object({ penalty: z.number().min(0), at: z.number(), suppressed: z.boolean() }),
);

/** Below this nothing is left to remember; the entry goes, so that the file holds only what has fallen lately. */
const FORGOTTEN = 1;

/**
 * How often each VIP has fallen, kept across restarts: an announcer that is restarted because its service flaps must
 * not announce it at once. A file that cannot be used is reported and ignored: every VIP then starts clean.
 */
export class FlapMemory {
  readonly #file: StateFile<Readonly<Record<string, Flaps>>>;
  readonly #clock: Clock;
  readonly #flaps: Map<string, Flaps>;

  /** `path` undefined remembers in memory only. */
  constructor(path: string | undefined, clock: Clock, onFailure: (failure: Error) => void) {
    this.#file = new StateFile(path, savedFlaps, onFailure);
    this.#clock = clock;
    this.#flaps = new Map(Object.entries(this.#file.read() ?? {}));
  }

  /** Forgets VIPs that are no longer configured: they would stay in the file for ever. */
  keepOnly(vips: readonly string[]): void {
    for (const vip of this.#flaps.keys()) if (!vips.includes(vip)) this.#flaps.delete(vip);
  }

  /** How long the VIP still must not be announced. */
  waitLeft(vip: string, rules: DampingRules): Duration {
    return waitLeft(this.#flaps.get(vip), rules, this.#clock.wallMicros());
  }

  penalty(vip: string, rules: DampingRules): number {
    return penaltyAt(this.#flaps.get(vip), rules, this.#clock.wallMicros());
  }

  /** How long it would have to wait, had it fallen now. */
  waitIfItFell(vip: string, rules: DampingRules): Duration {
    const wall = this.#clock.wallMicros();
    return waitLeft(fell(this.#flaps.get(vip), rules, wall), rules, wall);
  }

  fell(vip: string, rules: DampingRules): void {
    const wall = this.#clock.wallMicros();
    this.#flaps.set(vip, fell(this.#flaps.get(vip), rules, wall));
    for (const [name, flaps] of this.#flaps) if (penaltyAt(flaps, rules, wall) < FORGOTTEN) this.#flaps.delete(name);
    this.#file.save(Object.fromEntries(this.#flaps));
  }

  /** Resolves when what was remembered last is on disk, or has failed to be. */
  written(): Promise<void> {
    return this.#file.written();
  }
}
