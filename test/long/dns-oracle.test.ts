/** 50,000 questions to us and to unbound over the same upstreams: what differs is of a class that is explained, or the test fails. */
import { expect, test } from "vitest";
import { BEHAVIOURS } from "../interop/dns-oracle/behaviours.ts";
import { SENTENCES } from "../interop/dns-oracle/classes.ts";
import { compare, report } from "../interop/dns-oracle/run.ts";

const QUESTIONS = 50_000;
/** Another one is another 50,000 questions. */
const SEED = Number(process.env["ORACLE_SEED"] ?? 3);
const PATIENCE_MS = 30_000;

test("50,000 questions get the same answers from us as from unbound, or differ in a way that is explained", async () => {
  const result = await compare(QUESTIONS, SEED, PATIENCE_MS);
  process.stdout.write(report(result, SENTENCES));
  expect(result.unexplained).toEqual([]);
  expect(result.same).toBeGreaterThan(QUESTIONS / 2);
  expect(result.settled).toBeLessThan(QUESTIONS / 20);
  for (const kind of Object.keys(BEHAVIOURS)) expect([kind, result.kinds.get(kind) ?? 0]).not.toEqual([kind, 0]);
});
