import { rotated, type Running } from "../contest.ts";
import type { Case } from "./cases.ts";
import type { Comparison } from "./compared.ts";
import { saturate, type Loaded } from "./dnsperf.ts";
import { spreadOf } from "../spread.ts";
import type { Field } from "./field.ts";
import { fill } from "./fill.ts";
import { paced, type Paced } from "./paced.ts";

export const LOAD_SECONDS = 1;
export const PACED_MS = 1_000;
/**
 * How often it is paced in a round, of those that a goal compares by turns: one stall of the machine in a second is one p99 in
 * three, and not the round's.
 */
const PACED_TIMES = 3;
const COMPARED: ReadonlySet<string> = new Set(["stitch", "unbound"]);
/** Names that nobody has asked before: as many as a server is asked for in about that time. */
export const NEW_NAMES = 25_000;

/** What one server did in one round. */
export interface Round {
  readonly name: string;
  readonly case: Case["key"];
  readonly workers: number;
  readonly load: Loaded;
  /** Of its answers, the share that had the upstream behind them. */
  readonly fromUpstream: number;
  /** Questions a second at which `paced` was taken. */
  readonly rate: number;
  readonly paced: Omit<Paced, "samples">;
}

export interface Measured {
  readonly rounds: Round[];
  readonly comparison: Comparison;
  /** Memory of each server when it held a million names, and when it held none. */
  readonly memory: {
    readonly name: string;
    readonly workers: number;
    readonly empty: number;
    readonly filled: number;
  }[];
}

/** One kind of questions, put to all servers round about as fast as they are, then at half of what the slower of ours and unbound took. */
export async function measureCase(
  field: Field,
  kind: Case,
  folder: string,
  count: number,
  into: Measured,
): Promise<void> {
  const run = new CaseRun(field, kind, folder, into);
  await run.prepare();
  for (let round = 0; round < count; round += 1) {
    const { workers } = field;
    process.stderr.write(
      `dns: ${kind.title}, ${workers} worker${workers > 1 ? "s" : ""}, round ${round + 1} of ${count}\n`,
    );
    await run.round(round);
  }
}

class CaseRun {
  readonly #field: Field;
  readonly #case: Case;
  readonly #folder: string;
  readonly #into: Measured;
  readonly #servers: readonly Running[];
  #hits = "";
  #rate = 0;

  constructor(field: Field, kind: Case, folder: string, into: Measured) {
    this.#field = field;
    this.#case = kind;
    this.#folder = folder;
    this.#into = into;
    const { resolvers, echo } = field;
    this.#servers = kind.names > 0 && echo !== undefined ? [...resolvers, echo] : resolvers;
  }

  /** What is measured is a server that has been at it for a while: every name is in every cache, and nothing is done for the first time. */
  async prepare(): Promise<void> {
    const { key, names, write } = this.#case;
    if (names > 0) {
      this.#hits = write(this.#folder, "", names);
      await fill(this.#field, this.#hits);
    }
    if (key === "hit1M") this.#weigh();
    else for (const server of this.#servers) await this.#saturated(server, "warm");
  }

  #weigh(): void {
    const { emptyBytes, resolvers, workers } = this.#field;
    for (const server of resolvers) {
      const { name } = server;
      this.#into.memory.push({
        name,
        workers,
        empty: emptyBytes.get(name) ?? Number.NaN,
        filled: server.residentBytes(),
      });
    }
  }

  async round(round: number): Promise<void> {
    const loads = new Map<Running, { readonly load: Loaded; readonly fromUpstream: number }>();
    for (const server of rotated(this.#servers, round)) loads.set(server, await this.#saturated(server, round));
    if (round === 0) this.#rate = halfOfTheSlower(loads);
    const paces = await this.#allPaced(round);
    for (const [server, seen] of loads) {
      const { samples, ...times } = middleOf(paces.get(server) ?? []);
      const { name } = server;
      this.#into.rounds.push({
        name,
        case: this.#case.key,
        workers: this.#field.workers,
        ...seen,
        rate: this.#rate,
        paced: times,
      });
      // Of a mixture each server has had the cached part since another moment, and both parts are compared by themselves.
      if (name !== "stitch" || this.#case.untimed > 0) continue;
      await this.#into.comparison.add(samples, this.#field.resolver("unbound").port, this.#case.names > 0);
    }
  }

  async #saturated(server: Running, round: number | "warm"): Promise<{ load: Loaded; fromUpstream: number }> {
    const { names, rcode, window } = this.#case;
    const queries = this.#queries(`${server.name}-${this.#field.workers}-${round}`, NEW_NAMES);
    const before = await this.#field.questions();
    const seconds = names > 0 ? LOAD_SECONDS : 0;
    const load = await saturate(server, { queries, rcode, window, seconds, workers: this.#field.workers });
    return { load, fromUpstream: ((await this.#field.questions()) - before) / load.completed };
  }

  async #allPaced(round: number): Promise<Map<Running, Paced[]>> {
    const paces = new Map<Running, Paced[]>(this.#servers.map((server) => [server, []]));
    for (let time = 0; time < PACED_TIMES; time += 1) {
      for (const server of rotated(this.#servers, round + time)) {
        if (time > 0 && !COMPARED.has(server.name)) continue;
        paces.get(server)?.push(await this.#paced(server, `${round}-${time}`));
      }
    }
    return paces;
  }

  #paced(server: Running, time: string): Promise<Paced> {
    const count = Math.ceil((this.#rate * PACED_MS) / 1_000);
    const queries = this.#queries(`${server.name}-${this.#field.workers}-${time}-paced`, count);
    const { upstream, workers } = this.#field;
    const work = (): Promise<Paced> => paced(server, queries, this.#rate, PACED_MS, workers, this.#case.untimed);
    return server.urgently(() => (upstream === undefined ? work() : upstream.urgently(work)));
  }

  #queries(run: string, count: number): string {
    return this.#case.names > 0 ? this.#hits : this.#case.write(this.#folder, run, count);
  }
}

/** Of several times the middle of each figure; all that was sent, answered and kept. */
function middleOf(times: readonly Paced[]): Paced {
  const all = (figure: (each: Paced) => number): number[] => times.map(figure);
  const sum = (figure: (each: Paced) => number): number => all(figure).reduce((total, each) => total + each, 0);
  return {
    sent: sum(({ sent }) => sent),
    answered: sum(({ answered }) => answered),
    p50: spreadOf(all(({ p50 }) => p50)).median,
    p99: spreadOf(all(({ p99 }) => p99)).median,
    max: Math.max(...all(({ max }) => max)),
    samples: times.flatMap(({ samples }) => samples),
  };
}

function halfOfTheSlower(loads: ReadonlyMap<Running, { readonly load: Loaded }>): number {
  const both = [...loads].filter(([{ name }]) => COMPARED.has(name));
  return Math.floor(Math.min(...both.map(([, { load }]) => load.perSecond)) / 2);
}
