import { type Spread, spreadOf, spreadText } from "../spread.ts";
import { type CaseName, CASES } from "./cases.ts";
import type { Seen } from "./cell.ts";

/** A goal of ours: a figure's name, its value, and what it may be at most. */
interface Goal {
  readonly figure: string;
  readonly limit: number;
  readonly of: (seen: readonly Seen[]) => Spread | number;
}

/** The contenders that the goals speak of. */
const OURS = "stitch";
const OURS_WITH_BFD = "stitch, BFD";

/** Our goals, by the median of the rounds; losses by their sum. */
const GOALS: readonly Goal[] = [
  { figure: "killed_update_ms", limit: 20, of: (seen) => times(ours(seen, "service killed"), ({ told }) => told) },
  { figure: "hung_withdrawn_ms", limit: 700, of: (seen) => times(ours(seen, "service hung"), ({ gone }) => gone) },
  {
    figure: "silent_bfd_ms",
    limit: 300,
    of: (seen) => times(ours(seen, "host silent", OURS_WITH_BFD), ({ gone }) => gone),
  },
  { figure: "drain_lost", limit: 0, of: lost },
];

export function figuresOf(seen: readonly Seen[]): Readonly<Record<string, Spread | number>> {
  return Object.fromEntries(GOALS.map(({ figure, of }) => [figure, of(seen)]));
}

/** Sentences about goals that were missed; a figure that could not be measured is missed. */
export function missedOf(seen: readonly Seen[]): string[] {
  return GOALS.flatMap(({ figure, limit, of }) => {
    const value = of(seen);
    if (typeof value === "number") return value <= limit ? [] : [`${figure} is ${value}, the goal is ${limit}`];
    if (value.median <= limit) return [];
    return [`${figure} is ${value.median.toFixed(1)} at the median, the goal is ${limit}`];
  });
}

export type Row = Readonly<Record<string, string | number>>;

/** A row for each case and contender, in the order of the cases and of the contenders' first appearance. */
export function rowsOf(seen: readonly Seen[]): Row[] {
  const contenders = [...new Set(seen.map(({ contender }) => contender))].toSorted(oursFirst);
  return CASES.flatMap((fault) =>
    contenders.flatMap((contender) => {
      const cells = seen.filter((each) => each.fault === fault && each.contender === contender);
      return cells.length === 0 ? [] : [rowOf(fault, contender, cells)];
    }),
  );
}

function oursFirst(a: string, b: string): number {
  return Number(b.startsWith(OURS)) - Number(a.startsWith(OURS)) || a.localeCompare(b);
}

function rowOf(fault: CaseName, contender: string, cells: readonly Seen[]): Row {
  const queries = cells.flatMap((cell) => (cell.queries === undefined ? [] : [cell.queries]));
  const sum = (of: "sent" | "lost"): number => queries.reduce((total, each) => total + each[of], 0);
  return {
    case: fault,
    contender,
    rounds: cells.length,
    "router told ms": text(cells.map(({ told }) => told)),
    "kernel route gone ms": text(
      cells.map(({ gone }) => gone),
      Math.min(...cells.map(({ watched }) => watched)),
    ),
    lost: queries.length === 0 ? "" : `${sum("lost")} of ${sum("sent")}`,
  };
}

/** Median and extremes; a round in which it did not happen is named and not counted. */
function text(values: readonly (number | undefined)[], watched?: number): string {
  const seen = values.filter((value) => value !== undefined);
  const never = values.length - seen.length;
  const found = seen.length === 1 ? (seen[0] ?? 0).toFixed(1) : seen.length === 0 ? "" : spreadText(spreadOf(seen), 1);
  if (watched === undefined || never === 0) return found;
  const missing = `not within ${watched / 1_000} s`;
  return found === "" ? missing : `${found}; ${never} x ${missing}`;
}

function ours(seen: readonly Seen[], fault: CaseName, name = OURS): readonly Seen[] {
  return seen.filter((each) => each.fault === fault && each.contender === name);
}

/** Infinite where it did not happen. */
function times(cells: readonly Seen[], of: (seen: Seen) => number | undefined): Spread {
  const values = cells.map((each) => of(each) ?? Infinity);
  return spreadOf(values.length === 0 ? [Number.NaN] : values);
}

function lost(seen: readonly Seen[]): number {
  const queries = ours(seen, "drain").map((each) => each.queries?.lost ?? Number.NaN);
  return queries.length === 0 ? Number.NaN : queries.reduce((sum, each) => sum + each, 0);
}
