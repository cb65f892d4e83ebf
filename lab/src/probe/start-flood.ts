import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { encode } from "dns-packet";
import { execa } from "execa";
import type { Lab } from "../lab.ts";
import { type FloodRecord, WARM } from "./record.ts";

const FOLDER = join(import.meta.dirname, "../../../.cache/probes");

export interface FloodOptions {
  /** Own addresses of the client, each of which asks. */
  readonly sources: readonly string[];
  /** Questions a second at the beginning and at the end, whatever is answered. */
  readonly from: number;
  readonly to: number;
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
  { sources, from, to, seconds }: FloodOptions,
): Promise<Flood> {
  const question = encode({ type: "query", id: 1, flags: 0, questions: [{ type: "TXT", name, class: "IN" }] });
  const numbers = [from, to, seconds].map((value) => String(Math.round(value)));
  const argv = [await compiled(), address, "53", question.toString("hex"), sources.join(), ...numbers];
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

/** The generator is C: in JavaScript a question would cost more than its answer. */
async function compiled(): Promise<string> {
  mkdirSync(FOLDER, { recursive: true });
  const program = join(FOLDER, "flood");
  const source = join(import.meta.dirname, "flood.c");
  const result = await execa("cc", ["-O2", "-Wall", "-Wextra", "-o", program, source], { reject: false });
  if (result.exitCode !== 0) throw new Error(`the flood needs a C compiler: ${result.stderr || result.message}`);
  return program;
}

/** What was sent and answered in a second, on average. */
export function averages({ sent, answered }: FloodRecord): { readonly sent: number; readonly answered: number } {
  return { sent: mean(sent), answered: mean(answered) };
}

function mean(counts: readonly number[]): number {
  return Math.round(counts.reduce((sum, value) => sum + value, 0) / Math.max(1, counts.length));
}
