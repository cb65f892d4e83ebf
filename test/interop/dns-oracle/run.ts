import { Asking } from "./asking.ts";
import { explain } from "./classes.ts";
import type { Compared } from "./compare.ts";
import { placesOf, Seeded } from "./names.ts";
import { makeQuestions } from "./questions.ts";
import type { Reply } from "./wire.ts";
import { World } from "./world.ts";
import { makeZones } from "./zone.ts";

/** What is printed of differences that nothing explains. */
const MOST_SHOWN = 40;

export interface Result {
  readonly asked: number;
  readonly same: number;
  /** Failed at first on one side, and did not when asked again. */
  readonly settled: number;
  readonly seconds: number;
  readonly versions: readonly string[];
  /** How often each class of differences was met. */
  readonly classes: ReadonlyMap<string, number>;
  /** How often each kind of name was asked for. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Differences that no class explains, in words. */
  readonly unexplained: readonly string[];
}

/** Puts `count` questions to both resolvers, and waits for each reply as long as `patienceMs`. */
export async function compare(count: number, seed: number, patienceMs: number): Promise<Result> {
  const random = new Seeded(seed);
  const made = makeZones(random);
  const puts = makeQuestions(made.names, count, random);
  const run = process.pid;
  const asking = new Asking(placesOf(run), random, patienceMs);
  const world = await World.start(made, run);
  try {
    const { compared, settled } = await asking.again(await asking.all(puts));
    return { ...summary(compared), settled, versions: world.versions, seconds: asking.seconds };
  } finally {
    await world.end();
  }
}

function summary(compared: readonly Compared[]): Pick<Result, "asked" | "same" | "classes" | "kinds" | "unexplained"> {
  const classes = new Map<string, number>();
  const kinds = new Map<string, number>();
  const unexplained: string[] = [];
  let same = 0;
  for (const each of compared) {
    kinds.set(each.put.kind, (kinds.get(each.put.kind) ?? 0) + 1);
    if (each.differences.length === 0) same += 1;
    else {
      const name = explain(each);
      if (name === undefined) unexplained.push(describe(each));
      else classes.set(name, (classes.get(name) ?? 0) + 1);
    }
  }
  return { asked: compared.length, same, classes, kinds, unexplained };
}

function describe({ put, ours, theirs, differences: found }: Compared): string {
  const { name, type, kind, flags, edns, dnssecOk, tcp } = put;
  const how = `${flags.toString(16)} edns ${edns ?? "none"}${dnssecOk ? " do" : ""}${tcp ? " tcp" : ""}`;
  return `${found.join("+")}: ${kind} ${name} ${type} (${how})\n    ours:   ${words(ours)}\n    theirs: ${words(theirs)}`;
}

function words(reply: Reply | undefined): string {
  if (reply === undefined) return "no reply";
  const { rcode, answers, authorities, aa, tc, ra, ad, cd, size } = reply;
  const bits = Object.entries({ aa, tc, ra, ad, cd }).flatMap(([name, set]) => (set ? [name] : []));
  const shown = [...answers, ...authorities].slice(0, 6).map(({ owner, ttl, type, class: recordClass, data }) => {
    return `${owner} ${ttl} ${recordClass === 1 ? "" : `class ${recordClass} `}${type} ${data.slice(0, 60)}`;
  });
  return `rcode ${rcode} ${bits.join(" ")} ${answers.length}+${authorities.length} in ${size}: ${shown.join("; ")}`;
}

/** The report that a person reads. */
export function report(
  { asked, same, settled, seconds, versions, classes, unexplained }: Result,
  sentences: ReadonlyMap<string, string>,
): string {
  const lines = [...classes].toSorted(([, one], [, other]) => other - one);
  return [
    `dns: ${asked} questions to us and to ${versions.join(", over ")} in ${seconds.toFixed(0)} s: ${same} the same`,
    ...lines.map(([name, count]) => `  ${String(count).padStart(6)} ${name}: ${sentences.get(name) ?? ""}`),
    `  ${String(settled).padStart(6)} failed on one side at first, and not when asked again`,
    `  ${String(unexplained.length).padStart(6)} without an explanation`,
    ...unexplained.slice(0, MOST_SHOWN).map((text) => `  ${text}`),
    "",
  ].join("\n");
}
