import { milliseconds, seconds } from "@stitch/clock";
import { Health } from "@stitch/health";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StoreHealth } from "../src/health.ts";
import { advanceUntil, openBench, tidy, type Bench } from "./stores.ts";

// Files and processes on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 30_000 });

let bench: Bench;
let health: Health;
let storeHealth: StoreHealth;
let drops = 0;

beforeEach(async () => {
  bench = await openBench();
  drops = 0;
  health = new Health({ service: "syslog", site: "nyc", instance: "nyc-1" }, bench.clock);
  storeHealth = new StoreHealth(health);
  storeHealth.watch(bench.clock, bench.store.journal, () => drops);
});

afterEach(async () => {
  storeHealth.stop();
  await tidy();
});

function codes(): string[] {
  return health.report.reasons.map(({ code, class: kind }) => `${code} ${kind}`);
}

test("one failed write is no reason, two in a row are, and a success ends it", () => {
  storeHealth.failed(new Error("ENOSPC"), 1);
  expect(health.verdict).toBe("pass");
  storeHealth.failed(new Error("ENOSPC"), 2);
  expect(codes()).toEqual(["store-unwritable dead"]);
  expect(health.report.reasons[0]?.detail).toBe("cannot write to the store: ENOSPC");
  bench.clock.advance(seconds(5));
  expect(health.verdict).toBe("fail");
  storeHealth.recovered();
  expect(health.verdict).toBe("pass");
});

test("a write that hangs for more than five seconds fails, and its end ends it", async () => {
  const gate = Promise.withResolvers<void>();
  bench.disk.gate = gate.promise;
  const hanging = bench.put("<13>one");
  await advanceUntil(bench.clock, () => bench.store.journal.busyFor > 0, milliseconds(100));
  bench.clock.advance(seconds(4));
  expect(health.verdict).toBe("pass");
  bench.clock.advance(seconds(3));
  expect(codes()).toEqual(["store-unwritable dead"]);
  gate.resolve();
  await hanging;
  bench.clock.advance(seconds(1));
  expect(health.verdict).toBe("pass");
});

test("a disk that is low degrades", () => {
  storeHealth.space(true);
  expect(codes()).toEqual(["disk-low dependency"]);
  expect(health.verdict).toBe("degraded");
  storeHealth.space(false);
  expect(health.verdict).toBe("pass");
});

test("dropping for want of memory while the disk works is load, for ten seconds after the last", () => {
  drops = 7;
  bench.clock.advance(seconds(1));
  expect(codes()).toEqual(["store-overflow load"]);
  expect(health.verdict).toBe("pass");
  bench.clock.advance(seconds(8));
  expect(codes()).toEqual(["store-overflow load"]);
  bench.clock.advance(seconds(3));
  expect(codes()).toEqual([]);
});
