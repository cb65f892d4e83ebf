import type { Judgement, PollResult } from "./check/observer.ts";
import type { LeaseLoss } from "./check/lease.ts";
import type { HealthSaid, Journal } from "./journal.ts";

export interface HealthRecordOptions {
  readonly vip: string;
  readonly service: () => string;
  readonly journal: Journal;
}

/**
 * What the check of one VIP says, in the journal: the cause of decisions, and what `stitch replay` decides on again. A
 * check that says the same a thousand times is one entry.
 */
export class HealthRecord {
  readonly #options: HealthRecordOptions;
  #said = "";
  #id: number | undefined;

  constructor(options: HealthRecordOptions) {
    this.#options = options;
  }

  /** The entry of what was said last; undefined before anything was. */
  get id(): number | undefined {
    return this.#id;
  }

  report({ phase, verdict }: Pick<Extract<HealthSaid, { said: "report" }>, "phase" | "verdict">, detail: string): void {
    this.#note({ said: "report", phase, verdict }, detail);
  }

  lost(reason: LeaseLoss, detail: string): void {
    this.#note({ said: "lost", reason }, detail);
  }

  address(present: boolean, detail: string): void {
    this.#note({ said: "address", present }, detail);
  }

  polled({ verdict, detail }: PollResult): void {
    this.#note({ said: "poll", verdict }, detail);
  }

  /** Parts take turns, so `good` comes and goes with every round: one good round has said it for those that follow. */
  judged({ verdict, reason, detail, good }: Judgement): void {
    const round = { said: "judged", verdict, reason, good: true } as const;
    this.#note({ ...round, good: good || this.#said === JSON.stringify(round) }, detail);
  }

  /** The detail is for people: a latency in it changes with every poll. */
  #note(said: HealthSaid, detail: string): void {
    const key = JSON.stringify(said);
    if (key === this.#said) return;
    this.#said = key;
    const { vip, service, journal } = this.#options;
    this.#id = journal.append({ kind: "health", vip, service: service(), ...said, detail }).id;
  }
}
