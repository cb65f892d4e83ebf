import { formatDuration, seconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import type { Health } from "@stitch/health";
import { HEALTH_REASONS, type HealthReasonCode } from "./reasons.ts";
import type { Journal } from "./store/journal.ts";
import { MOST_SLABS, SLAB_BYTES } from "./store/slabs.ts";

const LOOK: Duration = seconds(1);
/** Failed attempts in a row before the store counts as unwritable. */
const FAILURES = 2;
/** A write that takes longer than this is a disk that hangs. */
const STALL: Duration = seconds(5);
/** An overflow is said for this long after the last record that was not kept. */
const OVERFLOW_MEMORY = 10;

/** Turns what the store reports into reasons. */
export class StoreHealth {
  readonly #health: Health;
  #failing: string | undefined;
  #timer: Timer | undefined;
  #dropsSeen = 0;
  #quietLooks: number = OVERFLOW_MEMORY;

  constructor(health: Health) {
    this.#health = health;
  }

  /** `drops`: datagrams that were not kept for want of memory, so far. */
  watch(clock: Clock, journal: Journal, drops: () => number): void {
    this.#timer = clock.every("store-health", LOOK, () => this.#look(journal, drops()));
  }

  stop(): void {
    this.#timer?.cancel();
  }

  failed(failure: Error, inARow: number): void {
    if (inARow < FAILURES) return;
    this.#failing = `cannot write to the store: ${failure.message}`;
    this.#raise("store-unwritable", this.#failing);
  }

  recovered(): void {
    this.#failing = undefined;
    this.#health.clear("store-unwritable");
  }

  space(low: boolean): void {
    if (low) this.#raise("disk-low", "the file system of the store is fuller than retain.minFree allows");
    else this.#health.clear("disk-low");
  }

  #look(journal: Journal, drops: number): void {
    this.#health.load = journal.waitingBytes / (MOST_SLABS * SLAB_BYTES);
    const stalled = journal.busyFor > STALL;
    if (stalled) this.#raise("store-unwritable", `a write has not ended for ${formatDuration(STALL)}`);
    else if (this.#failing === undefined) this.#health.clear("store-unwritable");
    this.#quietLooks = drops > this.#dropsSeen ? 0 : this.#quietLooks + 1;
    this.#dropsSeen = drops;
    const overflowing = this.#quietLooks < OVERFLOW_MEMORY && !stalled && this.#failing === undefined;
    if (overflowing) this.#raise("store-overflow", "more arrives than the disk takes; what exceeds memory is dropped");
    else this.#health.clear("store-overflow");
  }

  #raise(code: HealthReasonCode, detail: string): void {
    this.#health.raise(code, HEALTH_REASONS[code], detail);
  }
}
