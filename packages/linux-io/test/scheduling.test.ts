import { execFile } from "node:child_process";
import { release } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { loadNative } from "../src/index.ts";

const FOLDER = join(import.meta.dirname, "scheduling");
/** Field 41 of proc(5)'s stat: SCHED_OTHER and SCHED_RR. */
const [OTHERS, ROUND_ROBIN] = [0, 2];

const inCi = process.env["CI"] !== undefined && process.env["CI"] !== "";
const missing = !inCi && loadNative().native === undefined;

// In a process of its own: nothing of the test runner's is to go before others.
test.skipIf(missing)("a thread is realtime when it asks for it and may be, alone, and takes it back", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(FOLDER, "realtime.ts")]);
  const told = JSON.parse(stdout) as { readonly refused: string | null; readonly policies: readonly number[] };
  const granted = told.refused === null;
  expect(granted || told.refused === "EPERM").toBe(true);
  const asked = granted ? ROUND_ROBIN : OTHERS;
  // Before, while it is so, a child that it starts meanwhile, and afterwards.
  expect(told.policies).toEqual([OTHERS, asked, OTHERS, OTHERS]);
});

test.skipIf(missing)(
  "the main thread and V8's own give way to the thread that serves, which is as nice as it was and has short slices",
  async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(FOLDER, "turns.ts")]);
    const [first = "", niceOfWorker] = stdout.split("\n");
    const told = JSON.parse(first) as {
      readonly before: number;
      readonly refused: string | null;
      readonly after: number;
      readonly ofHelpers: readonly number[];
      readonly ofWorker: { readonly refused: string | null; readonly slice: number | null };
    };
    expect(told.refused).toBeNull();
    expect(told.after).toBe(Math.min(19, told.before + 5));
    expect(told.ofHelpers.length).toBeGreaterThan(0);
    expect([...new Set(told.ofHelpers)]).toEqual([told.after]);
    expect(Number(niceOfWorker)).toBe(told.before);
    expect(told.ofWorker.refused).toBeNull();
    const [major = 0, minor = 0] = release().split(".").map(Number);
    const hasSlices = major > 6 || (major === 6 && minor >= 12); // before, there was one slice for all
    const { slice } = told.ofWorker;
    expect(slice === 100_000 || slice === null || !hasSlices).toBe(true);
  },
);
