import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const DAY = join(import.meta.dirname, "..", "..", "packages", "dns-resolver", "test", "day", "main.ts");
const HOURS = 24;
/** Of the last quarter above the first, when the cache is full and every path has been gone: 1.7 million queries apart. */
const MOST_GROWTH = 4 * 2 ** 20;

interface Day {
  readonly queries: number;
  readonly counted: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
  readonly waiting: { readonly inFlight: number; readonly open: number };
  readonly memory: readonly number[];
}

test("24 simulated hours with loss, late answers and outages leave memory flat, every query answered, nothing open", async () => {
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, ["--expose-gc", DAY, String(HOURS)], (failure, output) =>
      failure === null ? resolve(output) : reject(failure),
    );
  });
  process.stdout.write(`dns: ${stdout}\n`);
  const { queries, counted, counters, waiting, memory } = JSON.parse(stdout) as Day;
  expect(Object.values(counted).reduce((sum, n) => sum + n, 0)).toBe(queries);
  for (const reason of ["cached", "forwarded", "stale"]) expect(counted[reason]).toBeGreaterThan(1_000);
  for (const path of ["hedged", "refreshed", "crossed", "overTcp", "timeouts"]) {
    expect(counters[path]).toBeGreaterThan(100);
  }
  expect(waiting).toEqual({ inFlight: 0, open: 0 });
  expect((memory.at(-1) ?? Infinity) - (memory[0] ?? 0)).toBeLessThan(MOST_GROWTH);
});
