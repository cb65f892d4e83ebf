import type { Clock, Duration } from "@stitch/clock";
import type { Lab } from "../lab.ts";
import type { Variant } from "../variant.ts";

/** Measured values of one line, in the order of the table's columns. */
export type Row = Readonly<Record<string, string | number>>;

export interface DrillResult {
  readonly drill: string;
  readonly rows: readonly Row[];
  /** The numbers that a test or a report asks for by name. */
  readonly figures: Readonly<Record<string, number>>;
  /** What should not have happened; empty when the drill held. */
  readonly failures: readonly string[];
  /** The same as a drawing in text, line by line. */
  readonly picture?: readonly string[];
}

export interface DrillContext {
  readonly lab: Lab;
  readonly clock: Clock;
  readonly progress: (line: string) => void;
  /** How often a repeated drill repeats. */
  readonly repetitions: number;
  /** The short form of a drill that has one: what fits into every run of the tests. */
  readonly brief: boolean;
}

export interface Drill {
  readonly name: string;
  /** The topologies in which it can be run. */
  readonly variants: readonly Variant[];
  /** One sentence: what it shows. */
  readonly intent: string;
  run(context: DrillContext): Promise<Omit<DrillResult, "drill">>;
}

/** "sentence" unless `held`, for the list of failures. */
export function unless(held: boolean, sentence: string): readonly string[] {
  return held ? [] : [sentence];
}

/** Rounded for a table; one digit of a millisecond is more than the schedule of 1 ms can tell. */
export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Lets the lab live on for a while: what is measured is what happens meanwhile. */
export function pause(clock: Clock, length: Duration): Promise<void> {
  return new Promise((resolve) => void clock.after("pause", length, resolve));
}
