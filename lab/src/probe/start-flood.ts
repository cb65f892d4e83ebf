import { join } from "node:path";
import type { Lab } from "../lab.ts";
import { type FloodRecord, WARM } from "./record.ts";

export interface FloodOptions {
  /** Own addresses of the client, each of which asks. */
  readonly sources: readonly string[];
  /** Questions a second, whatever is answered; 0: as many as are answered. */
  readonly perSecond: number;
  readonly seconds: number;
}

export interface Flood {
  /** Resolves when it is over, with what was sent and answered. */
  over(): Promise<FloodRecord>;
  kill(): void;
}

/** Starts a flood of one question for `name` at `address`; resolves once it flows. */
export async function startFlood(
  lab: Lab,
  client: string,
  address: string,
  name: string,
  { sources, perSecond, seconds }: FloodOptions,
): Promise<Flood> {
  const program = join(import.meta.dirname, "flood.ts");
  const argv = ["node", program, address, "53", name, sources.join(), String(Math.round(perSecond)), String(seconds)];
  const running = lab.spawn(client, argv);
  if ((await running.line()) !== WARM) throw new Error(`the flood did not start: ${running.complaints()}`);
  return {
    over: async () => {
      const line = await running.line();
      if (line === undefined) throw new Error(`the flood ended early: ${running.complaints()}`);
      return JSON.parse(line) as FloodRecord;
    },
    kill: () => running.kill(),
  };
}

/** Of the whole seconds of a record: what was sent and answered in one, on average. */
export function averages({ sent, answered }: FloodRecord): { readonly sent: number; readonly answered: number } {
  // The last second is not whole.
  const whole = Math.max(1, sent.length - 1);
  const mean = (counts: readonly number[]): number =>
    Math.round(counts.slice(0, whole).reduce((sum, count) => sum + count, 0) / whole);
  return { sent: mean(sent), answered: mean(answered) };
}
