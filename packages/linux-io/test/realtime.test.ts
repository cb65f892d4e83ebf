import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { loadNative } from "../src/index.ts";

const CHILD = join(import.meta.dirname, "realtime", "main.ts");
/** Field 41 of proc(5)'s stat: SCHED_OTHER and SCHED_RR. */
const [OTHERS, ROUND_ROBIN] = [0, 2];

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loadNative().native === undefined;

// In a process of its own: nothing of the test runner's is to go before others.
test.skipIf(missing)("a thread is realtime when it asks for it and may be, alone, and takes it back", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD]);
  const told = JSON.parse(stdout) as { readonly refused: string | null; readonly policies: readonly number[] };
  const granted = told.refused === null;
  expect(granted || told.refused === "EPERM").toBe(true);
  const asked = granted ? ROUND_ROBIN : OTHERS;
  // Before, while it is so, a child that it starts meanwhile, and afterwards.
  expect(told.policies).toEqual([OTHERS, asked, OTHERS, OTHERS]);
});
