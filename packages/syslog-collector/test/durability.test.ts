import { appendFile, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { days, milliseconds, seconds } from "@stitch/clock";
import { Health } from "@stitch/health";
import { afterEach, describe, expect, test, vi } from "vitest";
import { StoreHealth } from "../src/health.ts";
import { lockStore } from "../src/store/lock.ts";
import { SLAB_BYTES } from "../src/store/slabs.ts";
import { readSidecar } from "../src/store/summary.ts";
import { advanceUntil, eventually, newFolder, openBench, seal, tidy } from "./stores.ts";

// Files and processes on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 30_000 });

afterEach(tidy);

const FIRST = "0000000000000001";

describe("memory is bounded", () => {
  test("when a trickle arrives while the disk hangs: lines share slabs instead of taking one each", async () => {
    const bench = await openBench({ mostSlabs: 3 });
    const gate = Promise.withResolvers<void>();
    bench.disk.gate = gate.promise;
    for (let i = 0; i < 500; i += 1) {
      expect(bench.collect(`<13>message ${i}`)).toEqual(["unparsed"]);
      bench.clock.advance(milliseconds(5));
    }
    expect(bench.store.journal.heldBytes).toBeLessThanOrEqual(3 * SLAB_BYTES);
    gate.resolve();
    await bench.store.journal.flush();
    expect(await bench.messages()).toEqual(Array.from({ length: 500 }, (_, i) => `message ${i}`));
    expect(bench.store.journal.counters.writes).toBeLessThan(10);
  });

  test("when a disk stays full for days: segments that cannot be begun do not take slabs either", async () => {
    const bench = await openBench({ mostSlabs: 3 });
    bench.disk.room = 0;
    for (let hour = 0; hour < 48; hour += 1) {
      bench.collect(`<13>hour ${hour}`);
      bench.clock.advance(seconds(3_600));
      await bench.store.journal.flush();
    }
    expect(bench.store.journal.heldBytes).toBeLessThanOrEqual(3 * SLAB_BYTES);
    bench.disk.room = Infinity;
    await advanceUntil(bench.clock, () => bench.store.journal.waitingBytes === 0, milliseconds(50));
    expect(await bench.messages()).toEqual(Array.from({ length: 48 }, (_, i) => `hour ${i}`));
  });
});

describe("a loss of power", () => {
  test("does not take a segment's name: its folder is synced with it", async () => {
    const bench = await openBench();
    await bench.put("<13>one");
    await advanceUntil(bench.clock, () => bench.disk.synced.includes("folder"), milliseconds(100));
    expect(bench.disk.synced).toEqual([`${FIRST}.ndjson`, "folder"]);
    await bench.put("<13>two");
    await advanceUntil(bench.clock, () => bench.disk.synced.length > 2, milliseconds(100));
    expect(bench.disk.synced).toEqual([`${FIRST}.ndjson`, "folder", `${FIRST}.ndjson`]);
  });

  test.each([
    ["half a line that ends in one", Buffer.from(`${"\0".repeat(300)}","message":"x"}\n`), 4],
    ["several lines of zeros", Buffer.from(`${"\0".repeat(300)}\n`.repeat(5)), 8],
    ["more zeros than a flood writes between two syncs", Buffer.alloc(3 << 20), 3],
    ["zeros up to where the search first stops", Buffer.alloc((2 << 20) - 20), 3],
    ["long lines of zeros", Buffer.from("\n".padStart(1 << 20, "\0").repeat(4)), 7],
  ])("that leaves %s behind hides no record before it, and uses no number again", async (_what, tail, next) => {
    const bench = await openBench();
    await bench.put("<13>one", "<13>two");
    await bench.close();
    await appendFile(join(bench.path, `${FIRST}.ndjson`), tail);
    const again = await openBench({ path: bench.path });
    expect(again.store.counters.damagedSegments).toBe(0);
    await again.put("<13>three");
    await again.store.keepHouse();
    const records = await again.records();
    expect(records.map(({ message }) => message)).toEqual(["one", "two", "three"]);
    expect(records.map(({ seq }) => seq)).toEqual([1, 2, next]);
  });
});

test("a sealed segment is not given up for a plain one that has lost its bytes", async () => {
  const bench = await openBench();
  await bench.put("<13>one");
  await seal(bench);
  await bench.close();
  await writeFile(join(bench.path, `${FIRST}.ndjson`), "");
  const again = await openBench({ path: bench.path });
  expect(await again.messages()).toEqual(["one"]);
  expect(await again.names()).toEqual([`${FIRST}.json`, `${FIRST}.ndjson.zst`]);
});

describe("a disk that takes writes and does not sync them", () => {
  test("is unwritable, however often a write succeeds in between, until a sync does", async () => {
    const bench = await openBench();
    const health = new Health({ service: "syslog", site: "nyc", instance: "nyc-1" }, bench.clock);
    const storeHealth = new StoreHealth(health);
    bench.disk.syncFailure = new Error("EIO: i/o error, fdatasync");
    for (let i = 0; i < 4; i += 1) {
      await bench.put(`<13>message ${i}`);
      await advanceUntil(bench.clock, () => bench.failures.length > i, milliseconds(100));
    }
    expect(Math.max(...bench.failures)).toBeGreaterThanOrEqual(3);
    expect(bench.events.recoveries).toBe(0);
    for (const inARow of bench.failures) storeHealth.failed(new Error("EIO"), inARow);
    expect(health.verdict).toBe("fail");
    bench.disk.syncFailure = undefined;
    await bench.put("<13>after");
    await advanceUntil(bench.clock, () => bench.events.recoveries > 0, milliseconds(100));
    expect(await bench.messages()).toEqual(["message 0", "message 1", "message 2", "message 3", "after"]);
  });

  test("is known to be mended without a record that would show it: the route is gone, and none comes", async () => {
    const bench = await openBench();
    bench.disk.syncFailure = new Error("EIO: i/o error, fdatasync");
    await bench.put("<13>one");
    await advanceUntil(bench.clock, () => bench.failures.length >= 3, milliseconds(100));
    expect(bench.failures.slice(0, 3)).toEqual([1, 2, 3]);
    expect(bench.events.recoveries).toBe(0);
    bench.disk.syncFailure = undefined;
    await advanceUntil(bench.clock, () => bench.events.recoveries > 0, milliseconds(100));
    expect(await bench.messages()).toEqual(["one"]);
    await eventually(async () => !(await bench.names()).includes("writable.tmp"), "nothing is left behind");
  });

  test("is not taken for a good one before serving", async () => {
    const bench = await openBench();
    bench.disk.syncFailure = new Error("EIO: i/o error, fdatasync");
    await expect(bench.store.proveWritable()).rejects.toThrow("cannot write to the store: EIO");
    expect(await bench.names()).toEqual([]);
  });

  test("when a segment ends, too: the failure is counted, and the segment is sealed all the same", async () => {
    const bench = await openBench();
    await bench.put("<13>one");
    bench.disk.syncFailure = new Error("EIO: i/o error, fdatasync");
    bench.clock.advance(seconds(301));
    await bench.store.journal.flush();
    expect(bench.store.journal.counters.writeFailures).toBeGreaterThan(0);
    bench.disk.syncFailure = undefined;
    await bench.store.keepHouse();
    expect(await bench.names()).toEqual([`${FIRST}.json`, `${FIRST}.ndjson.zst`]);
  });
});

test("half a line that could not be cut off when the disk filled is cut off before the next is written", async () => {
  const bench = await openBench();
  bench.disk.room = 100;
  bench.disk.truncateFailure = new Error("EIO: i/o error, ftruncate");
  await bench.put("<13>one", "<13>two");
  bench.disk.room = Infinity;
  await advanceUntil(bench.clock, () => bench.failures.length > 2, milliseconds(50));
  bench.disk.truncateFailure = undefined;
  await advanceUntil(bench.clock, () => bench.store.journal.waitingBytes === 0, milliseconds(50));
  expect(await bench.messages()).toEqual(["one", "two"]);
  expect(await readFile(join(bench.path, `${FIRST}.ndjson`), "utf8")).toMatch(/^\{"seq":1,.*\n\{"seq":2,.*\n$/);
});

test("the parts of a segment that a full disk split each have a sidecar of their own records", async () => {
  const bench = await openBench();
  bench.disk.room = 700;
  await bench.put(...Array.from({ length: 9 }, (_, i) => `<13>message ${i}`));
  bench.disk.room = Infinity;
  await advanceUntil(bench.clock, () => bench.store.journal.waitingBytes === 0, milliseconds(50));
  await seal(bench);
  const names = (await bench.names()).filter((name) => name.endsWith(".json"));
  const sidecars = await Promise.all(names.map((name) => readSidecar(join(bench.path, name))));
  expect(names.length).toBeGreaterThan(1);
  expect(sidecars.map((sidecar) => sidecar?.first)).toEqual(names.map((name) => Number.parseInt(name, 10)));
  expect(sidecars.reduce((sum, sidecar) => sum + (sidecar?.count ?? NaN), 0)).toBe(9);
});

test("a segment whose file could not be closed in order is sealed all the same", async () => {
  const bench = await openBench();
  await bench.put("<13>one");
  bench.disk.closeFailure = new Error("EIO: i/o error, close");
  bench.clock.advance(seconds(301));
  await bench.store.journal.flush();
  bench.disk.closeFailure = undefined;
  await bench.store.keepHouse();
  expect(await bench.names()).toEqual([`${FIRST}.json`, `${FIRST}.ndjson.zst`]);
  expect(await bench.messages()).toEqual(["one"]);
});

describe("sequence numbers are never used twice", () => {
  test("though retention removed every record before the restart", async () => {
    const bench = await openBench({ retain: { age: days(1), size: 1e12, minFree: 0 } });
    await bench.put("<13>one", "<13>two");
    await seal(bench);
    for (let half = 0; half < 4; half += 1) bench.clock.advance(seconds(43_200));
    await bench.store.keepHouse();
    expect(await bench.messages()).toEqual([]);
    await bench.close();
    const again = await openBench({ path: bench.path });
    await again.close();
    const third = await openBench({ path: bench.path });
    await third.put("<13>three");
    expect((await third.records()).map(({ seq }) => seq)).toEqual([3]);
    await seal(third);
    expect(await third.names()).toEqual(["0000000000000003.json", "0000000000000003.ndjson.zst"]);
  });

  test("though what was written last was torn and is gone", async () => {
    const path = await newFolder();
    await writeFile(join(path, "0000000000000500.ndjson"), '{"seq":500,');
    const bench = await openBench({ path });
    await bench.put("<13>one");
    expect((await bench.records()).map(({ seq }) => seq)).toEqual([500]);
  });

  test("though the collector was restarted twice since a segment was set aside", async () => {
    const path = await newFolder();
    await writeFile(join(path, `${FIRST}.ndjson`), "hello\nworld\n");
    await (await openBench({ path })).close();
    const again = await openBench({ path });
    await again.put("<13>one");
    expect((await again.records()).map(({ seq }) => seq)).toEqual([1_000_002]);
  });
});

test("records of before the clock was set are not removed for their age as soon as it is", async () => {
  const bench = await openBench({ retain: { age: days(30), size: 1e12, minFree: 0 } });
  bench.clock.stepWall(-50 * 365 * 86_400 * 1e6);
  await bench.put("<13>booting");
  await seal(bench);
  bench.clock.stepWall(50 * 365 * 86_400 * 1e6);
  await bench.put("<13>running");
  await seal(bench);
  await bench.store.keepHouse();
  expect(await bench.messages()).toEqual(["booting", "running"]);
});

test("a clock that jumps by years does not cost the store, until it has said so for a day", async () => {
  const bench = await openBench({ retain: { age: days(30), size: 1e12, minFree: 0 } });
  await bench.put("<13>one");
  await seal(bench);
  bench.clock.stepWall(10 * 365 * 86_400 * 1e6);
  await bench.store.keepHouse();
  bench.clock.advance(seconds(43_200));
  await bench.store.keepHouse();
  expect(await bench.messages()).toEqual(["one"]);
  bench.clock.advance(seconds(43_300));
  await bench.store.keepHouse();
  await bench.store.keepHouse();
  expect(await bench.messages()).toEqual([]);
});

describe("a segment that cannot be sealed", () => {
  test("does not keep those behind it from being sealed, and goes where it can be looked at", async () => {
    const bench = await openBench();
    await bench.put("<13>one");
    await bench.close();
    // Bits that turned: still JSON, still a number, no record.
    const plain = join(bench.path, `${FIRST}.ndjson`);
    const text = await readFile(plain, "utf8");
    await writeFile(plain, `${text.replace('"from"', '"frmm"').replace('"seq":1', '"seq":0')}${text}`);
    const again = await openBench({ path: bench.path });
    await again.put("<13>two");
    await seal(again);
    expect((await again.names()).filter((name) => name.endsWith(".zst"))).toHaveLength(2);
    expect(await again.messages()).toEqual(["one", "two"]);
  });

  test("because it cannot be read leaves the others to be sealed and removed", async () => {
    const bench = await openBench();
    await bench.put("<13>one");
    await bench.close();
    const again = await openBench({ path: bench.path });
    await rm(join(bench.path, `${FIRST}.ndjson`));
    await symlink(".", join(bench.path, `${FIRST}.ndjson`));
    await again.put("<13>two");
    await seal(again);
    expect(await again.names()).toContain("0000000000000002.ndjson.zst");
  });
});

describe("the lock", () => {
  test("that is stale is taken over by one of many who try at once", async () => {
    for (let round = 0; round < 20; round += 1) {
      const path = await newFolder();
      await symlink("1 0", join(path, "writer.lock"));
      const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockStore(path)));
      expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }
  });
});

describe("a stop", () => {
  test("tries again when a write fails: the room that retention makes is used", async () => {
    const bench = await openBench();
    bench.disk.room = 0;
    await bench.put("<13>one", "<13>two");
    const closing = bench.close();
    bench.disk.room = Infinity;
    await Promise.all([closing, advanceUntil(bench.clock, () => bench.clock.now() > 2_000, milliseconds(50))]);
    expect(bench.store.journal.counters.lostRecords).toBe(0);
    expect(await bench.messages()).toEqual(["one", "two"]);
  });

  test("while a write hangs ends in time, says what was lost, and keeps others out until the process is gone", async () => {
    const bench = await openBench();
    const gate = Promise.withResolvers<void>();
    bench.disk.gate = gate.promise;
    bench.collect("<13>one", "<13>two");
    const closing = bench.close();
    await Promise.all([closing, advanceUntil(bench.clock, () => bench.clock.now() > 3_500, milliseconds(50))]);
    expect(bench.store.journal.counters.lostRecords).toBe(2);
    expect(await readdir(bench.path)).toContain("writer.lock");
    gate.resolve();
    await rm(join(bench.path, "writer.lock"), { force: true });
  });
});
