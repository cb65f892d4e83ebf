import { peer } from "@stitch/peers";
import { realtimeAllowed } from "../priority.ts";
import type { Outcome } from "../outcome.ts";
import { spreadOf, spreadText, type Spread } from "../spread.ts";
import { CASES, type Case } from "./cases.ts";
import type { Entrant } from "./entrant.ts";
import type { Absence } from "./field.ts";
import { judged, ratioName } from "./goals.ts";
import { MIXTURE, MOST_NAMES } from "./names.ts";
import { SAMPLE } from "./paced.ts";
import { LOAD_SECONDS, NEW_NAMES, PACED_MS, type Measured, type Round } from "./rounds.ts";

/** All rounds of one server with one kind of questions. */
interface Row {
  readonly kind: Case;
  readonly workers: number;
  readonly name: string;
  readonly rounds: readonly Round[];
}

export async function summary(
  measured: Measured,
  entrants: readonly Entrant[],
  absent: readonly Absence[],
): Promise<Outcome> {
  const rows = rowsOf(measured.rounds);
  const ratios = { ...ratiosOf(rows), ...memoryRatiosOf(measured) };
  const goals = judged(ratios);
  const right = rightness(measured);
  return {
    bench: "dns",
    versions: { ...versionsOf(entrants), dnsperf: (await peer("dnsperf")).version },
    settings: { ...settingsOf(rows), "times realtime": (await realtimeAllowed()) ? "yes" : "no" },
    ratios,
    figures: figuresOf(rows, measured),
    table: rows.map((row) => lineOf(row, ratios)),
    legend: [
      "ratio: CPU of Stitch per answer by that of this server. upstream: share of answers that the upstream was asked for.",
      "p50, p99: at half of what the slower of Stitch and unbound took, from the query's way into the kernel until the answer's; of",
      "these two the middle of three times, by turns. With two workers servers, load and upstream share two cores.",
      `Of the mixture, one question in ${MIXTURE} forwarded, times are those of cached answers.`,
      "While times are taken servers are realtime, but for threads that a server itself made nicer than its others; of Stitch those are the main thread and V8's.",
      ...settingsLines(entrants),
      ...absent.map(
        ({ name, reason, workers }) =>
          `${name} with ${workers} worker${workers > 1 ? "s" : ""} takes no part: ${reason}`,
      ),
    ],
    ...(measured.memory.length === 0 ? {} : { beside: memoryTable(measured) }),
    met: [...goals.met, ...right.met],
    missed: [...goals.missed, ...right.missed],
  };
}

/** Whether answers were what they should be: a cheap wrong one is worth nothing. */
function rightness({ comparison, rounds }: Measured): { met: string[]; missed: string[] } {
  const { compared, different } = comparison;
  const wrong = wrongOf(rounds.filter(({ name }) => name === "stitch"));
  const missed = wrong > 0 ? [`${wrong} answers of Stitch have another rcode than they should`] : [];
  if (different.length > 0)
    missed.push(`${different.length} of ${compared} answers differ from unbound's: ${different[0]}`);
  const same = compared > 0 && different.length === 0;
  return { met: same ? [`${compared} answers, one in ${SAMPLE}, are unbound's in full`] : [], missed };
}

function wrongOf(rounds: readonly Round[]): number {
  return rounds.reduce((sum, { load }) => sum + load.wrong, 0);
}

function rowsOf(rounds: readonly Round[]): Row[] {
  const groups = Map.groupBy(rounds, ({ workers, case: key, name }) => `${workers} ${key} ${name}`);
  return [...groups.values()].flatMap((group) => {
    const [{ name, workers, case: key } = { name: "", workers: 0, case: "hit" }] = group;
    const kind = CASES.find((each) => each.key === key);
    return kind === undefined ? [] : [{ kind, workers, name, rounds: group }];
  });
}

const costOf = ({ load }: Round): number => load.cpuNanoseconds / load.completed;

/** Of Stitch to each other server, round by round. */
function ratiosOf(rows: readonly Row[]): Record<string, Spread> {
  const ratios: Record<string, Spread> = {};
  for (const { kind, workers, name, rounds } of rows) {
    const own = rows.find((row) => row.name === "stitch" && row.kind === kind && row.workers === workers)?.rounds ?? [];
    if (name === "stitch") continue;
    const by = (of: (round: Round) => number): Spread =>
      spreadOf(own.map((round, i) => of(round) / (rounds[i] === undefined ? Number.NaN : of(rounds[i]))));
    ratios[ratioName(kind.key, workers, name)] = by(costOf);
    ratios[ratioName(`${kind.key}_p99`, workers, name)] = by(({ paced }) => paced.p99);
  }
  return ratios;
}

function lineOf(
  { kind, workers, name, rounds }: Row,
  ratios: Readonly<Record<string, Spread>>,
): Record<string, string | number> {
  const spread = (of: (round: Round) => number, digits: number): string => spreadText(spreadOf(rounds.map(of)), digits);
  const lost = rounds.reduce((sum, { load, paced }) => sum + load.lost + paced.sent - paced.answered, 0);
  const ratio = ratios[ratioName(kind.key, workers, name)];
  return {
    workers,
    answers: kind.title,
    server: name,
    "CPU ns per answer": spread(costOf, 0),
    ratio: ratio === undefined ? "" : spreadText(ratio, 2),
    "answers/s": spreadOf(rounds.map(({ load }) => load.perSecond)).median.toFixed(0),
    upstream:
      name === "echo" ? "" : `${(spreadOf(rounds.map(({ fromUpstream }) => fromUpstream)).median * 100).toFixed(1)}%`,
    lost,
    wrong: wrongOf(rounds),
    "at /s": rounds[0]?.rate ?? 0,
    "p50 us": spread(({ paced }) => paced.p50, 0),
    "p99 us": spread(({ paced }) => paced.p99, 0),
  };
}

const perEntry = ({ empty, filled }: Measured["memory"][number]): number => (filled - empty) / MOST_NAMES;

function memoryRatiosOf({ memory }: Measured): Record<string, Spread> {
  const ratios: Record<string, Spread> = {};
  for (const line of memory) {
    const own = memory.find(({ name, workers }) => name === "stitch" && workers === line.workers);
    if (own === undefined || line === own) continue;
    ratios[ratioName("memory", line.workers, line.name)] = spreadOf([perEntry(own) / perEntry(line)]);
  }
  return ratios;
}

function memoryTable({ memory }: Measured): NonNullable<Outcome["beside"]> {
  return {
    title: `memory (PSS) with ${MOST_NAMES} names`,
    table: memory.map((line) => ({
      workers: line.workers,
      server: line.name,
      "MiB empty": (line.empty / 2 ** 20).toFixed(0),
      "MiB filled": (line.filled / 2 ** 20).toFixed(0),
      "octets per name": perEntry(line).toFixed(0),
    })),
  };
}

function figuresOf(rows: readonly Row[], { memory, comparison }: Measured): Record<string, Spread | number> {
  const figures: [string, Spread | number][] = rows.flatMap(({ kind, workers, name, rounds }) => {
    const prefix = `${name}_${kind.key}${workers > 1 ? `@${workers}` : ""}`;
    return [
      [`${prefix}_cpu_ns`, spreadOf(rounds.map(costOf))],
      [`${prefix}_p50_us`, spreadOf(rounds.map(({ paced }) => paced.p50))],
      [`${prefix}_p99_us`, spreadOf(rounds.map(({ paced }) => paced.p99))],
    ];
  });
  const bytes = memory.map((line): [string, number] => [
    `${line.name}_memory${line.workers > 1 ? `@${line.workers}` : ""}_octets`,
    perEntry(line),
  ]);
  const { compared, different } = comparison;
  return { ...Object.fromEntries([...figures, ...bytes]), compared, different: different.length };
}

function versionsOf(entrants: readonly Entrant[]): Record<string, string> {
  return Object.fromEntries(entrants.map(({ name, version }) => [name === "stitch" ? "node" : name, version]));
}

function settingsLines(entrants: readonly Entrant[]): string[] {
  return [...new Set(entrants.map(({ name, settings }) => `${name}: ${settings}`))];
}

function settingsOf(rows: readonly Row[]): Record<string, number> {
  const rounds = Math.max(...rows.map((row) => row.rounds.length));
  return {
    rounds,
    "seconds a round": LOAD_SECONDS,
    "new names a round": NEW_NAMES,
    "ms at half load": PACED_MS,
    "one compared in": SAMPLE,
  };
}
