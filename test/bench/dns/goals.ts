import type { Spread } from "../spread.ts";
import type { Case } from "./cases.ts";

/** The name of a ratio: what, with how many workers where it is more than one, by whom. */
export function ratioName(what: string, workers: number, other: string): string {
  return `${what}${workers > 1 ? `@${workers}` : ""}/${other}`;
}

/** What is asked of Stitch, by the name of the ratio. With two workers load and servers share two cores: times say little then. */
export const GOALS: Readonly<Record<string, number>> = Object.fromEntries(
  (["hit1", "hit", "hit1M", "miss", "nxdomain", "mix"] as const)
    .flatMap((key) => goalsOf(key))
    .concat([["memory/unbound", 1]]),
);

function goalsOf(key: Case["key"]): [string, number][] {
  const goals: [string, number][] = [
    [ratioName(key, 1, "unbound"), 1],
    [ratioName(key, 2, "unbound"), 1],
    [ratioName(`${key}_p99`, 1, "unbound"), 1],
  ];
  return key.startsWith("hit") ? [...goals, [ratioName(key, 1, "echo"), 1.3]] : goals;
}

/** A sentence for each goal that was measured. */
export function judged(ratios: Readonly<Record<string, Spread>>): { met: string[]; missed: string[] } {
  const [met, missed]: [string[], string[]] = [[], []];
  for (const [name, goal] of Object.entries(GOALS)) {
    const ratio = ratios[name];
    if (ratio === undefined) continue;
    const sentence = `${name} is ${ratio.median.toFixed(2)} at the median, the goal is ${goal}`;
    (ratio.median <= goal ? met : missed).push(sentence);
  }
  return { met, missed };
}
