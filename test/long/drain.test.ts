/** The goal for a planned drain: a hundred thousand datagrams, a thousand a second, drain after drain, and none of them lost. */
import { seconds, SystemClock } from "@stitch/clock";
import { drainDrill, type Lab, layOut, runDrill, settled, table, variant } from "@stitch/lab";
import { afterAll, beforeAll, expect, test } from "vitest";

const RATE = 1_000;
const LASTS = seconds(100);
const LAYING_MS = 180_000;

const print = (line: string): void => void process.stderr.write(`${line}\n`);
const clock = new SystemClock();
let lab: Lab;

beforeAll(async () => {
  lab = await layOut(variant("anycast", { clock, progress: print }));
  await settled(lab, clock);
}, LAYING_MS);
afterAll(() => lab?.down());

test("drains under 100,000 queries lose none", async () => {
  const drill = drainDrill({ rate: RATE, lasts: LASTS });
  const { rows, figures, failures } = await runDrill(drill, {
    lab,
    clock,
    progress: print,
    repetitions: 1,
    brief: false,
  });
  print(`${table(rows)}\n${JSON.stringify(figures)}`);
  expect(failures).toEqual([]);
  expect(figures["drain_lost"]).toBe(0);
  expect(figures["drain_queries"]).toBeGreaterThanOrEqual(100_000);
  expect(rows.length).toBeGreaterThan(1);
});
