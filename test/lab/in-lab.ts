import { SystemClock } from "@stitch/clock";
import {
  type DrillResult,
  DRILLS,
  type Lab,
  layOut,
  requirements,
  runDrill,
  settled,
  table,
  variant,
} from "@stitch/lab";
import type { Variant } from "@stitch/lab";
import { afterAll, beforeAll, expect } from "vitest";

const print = (line: string): void => void process.stderr.write(`${line}\n`);
/** Why this machine cannot lay out the lab: root, Linux and FRR from the distribution; undefined where it can. */
export const lacking: string | undefined = await requirements(print).then(
  () => undefined,
  (error: Error) => error.message,
);
if (lacking !== undefined) print(`the lab cannot be laid out: ${lacking}`);

const clock = new SystemClock();
export const DRILL_LIMIT_MS = 180_000;

/** What takes longer than every run of the tests can wait: `npm run test:long`. */
export const LONG_DRILLS: readonly string[] = ["rolling"];

/** Runs a drill of the block's lab, expects that it held, and answers what it measured. */
export type RunDrill = (drill: string, repetitions?: number) => Promise<DrillResult>;

/** Lays the variant out before the tests of the block that calls it, takes it down after them; answers what runs a drill in it. */
export function inLab(name: Variant, { brief }: { readonly brief: boolean }): RunDrill {
  let lab: Lab | undefined;
  beforeAll(async () => {
    lab = await layOut(variant(name, { clock, progress: print }));
    await settled(lab, clock);
  }, DRILL_LIMIT_MS);
  afterAll(() => lab?.down());

  return async (wanted, repetitions = 3) => {
    const drill = DRILLS.find((candidate) => candidate.name === wanted);
    if (lab === undefined || drill === undefined) throw new Error(`no lab, or no drill ${wanted}`);
    const result = await runDrill(drill, { lab, clock, progress: print, repetitions, brief });
    print([table(result.rows), ...(result.picture ?? []), JSON.stringify(result.figures), ""].join("\n"));
    expect(result.failures).toEqual([]);
    return result;
  };
}
