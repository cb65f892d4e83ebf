import { formatDuration, type Duration } from "@stitch/clock";
import type { Health } from "@stitch/health";
import { rootDistance, type ClockState } from "./host-clock/clock-state.ts";

export interface ClockFindings {
  readonly state: ClockState;
  /** The clock jumped a moment ago. */
  readonly stepped: boolean;
  readonly maxRootDistance: Duration;
}

/**
 * Turns the state of the clock into reasons. They are the one exception to "a lost dependency is never dead": false time
 * is worse than none. Details carry no figures that change from second to second; those are metrics.
 */
export function judgeClock(health: Health, { state, stepped, maxRootDistance }: ClockFindings): void {
  if (stepped) health.raise("clock-stepped", "dead", "the wall clock jumped by more than 1 ms against monotonic time");
  else health.clear("clock-stepped");
  if (state.kind === "unsynchronised") health.raise("clock-unsynchronised", "dead", state.detail);
  else health.clear("clock-unsynchronised");
  if (state.kind === "synchronised" && rootDistance(state) * 1_000 > maxRootDistance) {
    health.raise("root-distance", "dead", `the clock may be off by more than ${formatDuration(maxRootDistance)}`);
  } else health.clear("root-distance");
}

/**
 * `clock: local` passes, or no demo could run, and is seen wherever the report is: class load moves no route and leaves
 * the verdict alone.
 */
export function sayLocalClock(health: Health): void {
  health.raise("local-clock", "load", "serves the clock of this host as it is (clock: local); for labs and demos only");
}
