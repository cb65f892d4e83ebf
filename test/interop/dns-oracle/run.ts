import { ask } from "./client.ts";
import { explain } from "./classes.ts";
import { differences, type Compared } from "./compare.ts";
import { Seeded, UNBOUND, US } from "./names.ts";
import { makeQuestions, type Put } from "./questions.ts";
import { readReply, type Reply } from "./wire.ts";
import { World } from "./world.ts";
import { makeZones } from "./zone.ts";

/** Pairs of questions under way at once. */
const AT_ONCE = 48;
/** Whole seconds are shown, and the two may round another way. */
const ROUNDING = 2;
/** What is printed of differences that nothing explains. */
const MOST_SHOWN = 40;

export interface Result {
  readonly asked: number;
  readonly same: number;
  readonly seconds: number;
  readonly versions: readonly string[];
  /** How often each class of differences was met. */
  readonly classes: ReadonlyMap<string, number>;
  /** How often each kind of name was asked for. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Differences that no class explains, in words. */
  readonly unexplained: readonly string[];
}

/** Puts `count` questions to both resolvers, each to both at the same time, and waits for replies as long as `patienceMs`. */
export async function compare(count: number, seed: number, patienceMs: number): Promise<Result> {
  const random = new Seeded(seed);
  const made = makeZones(random);
  const puts = makeQuestions(made.names, count, random);
  const began = performance.now();
  const world = await World.start(made);
  try {
    const compared = await askAll(puts, random, patienceMs, began);
    return { ...summary(compared), versions: world.versions, seconds: (performance.now() - began) / 1_000 };
  } finally {
    await world.end();
  }
}

async function askAll(puts: readonly Put[], random: Seeded, patienceMs: number, began: number): Promise<Compared[]> {
  const compared: Compared[] = [];
  const queue = puts.values();
  const both = async (put: Put): Promise<Compared> => {
    const id = random.below(65_536);
    const [ours, theirs] = await Promise.all(
      [US, UNBOUND].map(({ address }) => readFrom(address, put, id, patienceMs)),
    );
    const seconds = (performance.now() - began) / 1_000 + ROUNDING;
    return { put, ours, theirs, differences: differences(put, ours, theirs, seconds), seconds };
  };
  const one = async (): Promise<void> => {
    for (const put of queue) {
      const first = await both(put);
      compared.push(first);
      // As a client does: what is cut is asked for again over TCP.
      if (first.ours?.tc === true && !put.tcp) compared.push(await both({ ...put, tcp: true }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return compared;
}

async function readFrom(address: string, put: Put, id: number, patienceMs: number): Promise<Reply | undefined> {
  const bytes = await ask(address, put, { id, ...put }, put.tcp, patienceMs);
  return bytes === undefined ? undefined : readReply(bytes);
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
  { asked, same, seconds, versions, classes, unexplained }: Result,
  sentences: ReadonlyMap<string, string>,
): string {
  const lines = [...classes].toSorted(([, one], [, other]) => other - one);
  return [
    `dns: ${asked} questions to us and to ${versions.join(", over ")} in ${seconds.toFixed(0)} s: ${same} the same`,
    ...lines.map(([name, count]) => `  ${String(count).padStart(6)} ${name}: ${sentences.get(name) ?? ""}`),
    `  ${String(unexplained.length).padStart(6)} without an explanation`,
    ...unexplained.slice(0, MOST_SHOWN).map((text) => `  ${text}`),
    "",
  ].join("\n");
}
