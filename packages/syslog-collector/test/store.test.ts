import { appendFile, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { days, milliseconds, seconds } from "@stitch/clock";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { StoreLockedError } from "../src/store/lock.ts";
import { readSidecar } from "../src/store/summary.ts";
import { advanceUntil, contents, eventually, newFolder, openBench, seal, tidy } from "./stores.ts";

// Files and processes on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 30_000 });

afterEach(tidy);

const FIRST = "0000000000000001";

describe("writing", () => {
  test("a batch is one write", async () => {
    const bench = await openBench();
    await bench.put("<13>one", "<13>two", "<13>three");
    expect(bench.store.journal.counters.writes).toBe(1);
    expect(await bench.messages()).toEqual(["one", "two", "three"]);
    expect((await bench.records()).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  test("lines wait a few milliseconds for company, then are written without being asked", async () => {
    const bench = await openBench();
    bench.collect("<13>one");
    bench.clock.advance(milliseconds(4));
    bench.collect("<13>two");
    expect(bench.store.journal.waitingBytes).toBeGreaterThan(0);
    bench.clock.advance(milliseconds(1));
    await eventually(() => bench.store.journal.waitingBytes === 0, "both written");
    expect(bench.store.journal.counters.writes).toBe(1);
    expect(await bench.messages()).toEqual(["one", "two"]);
  });

  test("records survive a stop, and numbers go on after it", async () => {
    const bench = await openBench();
    await bench.put("<13>one", "<13>two");
    await bench.close();
    const again = await openBench({ path: bench.path });
    await again.put("<13>three");
    expect((await again.records()).map(({ seq, message }) => [seq, message])).toEqual([
      [1, "one"],
      [2, "two"],
      [3, "three"],
    ]);
  });

  test("two collectors do not share a store, and a stale lock is taken over", async () => {
    const bench = await openBench();
    await expect(openBench({ path: bench.path })).rejects.toThrow(StoreLockedError);
    await bench.close();
    await symlink("1 0", join(bench.path, "writer.lock"));
    const again = await openBench({ path: bench.path });
    expect(await again.put("<13>x")).toEqual(["unparsed"]);
  });
});

describe("sealing", () => {
  test("by age: zstd with a sidecar, and the plain file goes", async () => {
    const bench = await openBench();
    await bench.put("<11>one", { bytes: Buffer.from("<14>two"), from: { address: "192.0.2.9", port: 1 } }, "three");
    await seal(bench);
    expect(await bench.names()).toEqual([`${FIRST}.json`, `${FIRST}.ndjson.zst`]);
    const plain = zstdDecompressSync(await readFile(join(bench.path, `${FIRST}.ndjson.zst`))).toString();
    expect(
      plain
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as { message: string }).message),
    ).toEqual(["one", "two", "three"]);
    expect(await readSidecar(join(bench.path, `${FIRST}.json`))).toEqual({
      version: 1,
      first: 1,
      last: 3,
      count: 3,
      bytes: plain.length,
      since: "2026-11-22T14:42:01.000Z",
      until: "2026-11-22T14:42:02.000Z",
      severities: [0, 0, 0, 1, 0, 0, 1, 0, 1],
      senders: { "192.0.2.1": 2, "192.0.2.9": 1 },
      otherSenders: 0,
    });
    expect(await bench.messages()).toEqual(["one", "two", "three"]);
  });

  test("by size: segments follow each other without a gap", async () => {
    const bench = await openBench({ sealBytes: 2_000 });
    const texts = Array.from({ length: 100 }, (_, i) => `<13>message ${i}`);
    for (let i = 0; i < texts.length; i += 10) await bench.put(...texts.slice(i, i + 10));
    await bench.store.keepHouse();
    expect((await bench.names()).filter((name) => name.endsWith(".zst")).length).toBeGreaterThan(5);
    expect(await bench.messages()).toEqual(texts.map((text) => text.slice(4)));
  });

  test("a stop in the middle of sealing loses nothing", async () => {
    const bench = await openBench();
    await bench.put("<13>one");
    await bench.close();
    await writeFile(join(bench.path, `${FIRST}.ndjson.zst`), "half a fra");
    await writeFile(join(bench.path, `${FIRST}.json.tmp`), "{");
    const again = await openBench({ path: bench.path });
    await again.store.keepHouse();
    expect(await again.names()).toEqual([`${FIRST}.json`, `${FIRST}.ndjson.zst`]);
    expect(await again.messages()).toEqual(["one"]);
  });

  test("an idle store does not make segments", async () => {
    const bench = await openBench();
    await advanceUntil(bench.clock, () => bench.clock.now() >= 3_600_000, seconds(10));
    expect(await bench.names()).toEqual([]);
  });
});

describe("starting after a crash", () => {
  test("a torn tail is cut and said", async () => {
    const bench = await openBench();
    await bench.put("<13>one", "<13>two");
    await bench.close();
    const size = (await contents(bench.path, `${FIRST}.ndjson`)).length;
    await truncate(join(bench.path, `${FIRST}.ndjson`), size - 5);
    const again = await openBench({ path: bench.path });
    expect(again.notes.join()).toMatch(/a torn tail of \d+ bytes was cut/);
    await again.put("<13>three");
    expect((await again.records()).map(({ seq, message }) => [seq, message])).toEqual([
      [1, "one"],
      [2, "three"],
    ]);
  });

  test("zeros after a loss of power are a torn tail", async () => {
    const bench = await openBench();
    await bench.put("<13>one");
    await bench.close();
    await appendFile(join(bench.path, `${FIRST}.ndjson`), Buffer.alloc(4_096));
    const again = await openBench({ path: bench.path });
    expect(await again.messages()).toEqual(["one"]);
  });

  test("a file with no whole record is removed", async () => {
    const path = await newFolder();
    await writeFile(join(path, `${FIRST}.ndjson`), '{"seq":1,');
    const bench = await openBench({ path });
    expect(await bench.names()).toEqual([]);
    expect(bench.notes).toHaveLength(1);
  });

  test.each([
    ["a plain segment that is not ours", `${FIRST}.ndjson`, "hello\nworld\n"],
    ["a sealed segment that is not zstd", `${FIRST}.ndjson.zst`, "hello"],
    ["a sealed segment that is empty", `${FIRST}.ndjson.zst`, ""],
    ["a sealed segment that ends early", `${FIRST}.ndjson.zst`, Buffer.from("28b52ffd0458", "hex")],
  ])("%s is set aside, said, and its numbers are not used again", async (_name, file, bytes) => {
    const path = await newFolder();
    await writeFile(join(path, file), bytes);
    const bench = await openBench({ path });
    expect(await bench.names()).toEqual([`${file}.damaged`]);
    expect(bench.notes.join()).toContain("set aside");
    expect(bench.store.counters.damagedSegments).toBe(1);
    await bench.put("<13>one");
    expect((await bench.records()).map(({ seq }) => seq)).toEqual([1_000_002]);
  });

  test("a lost sidecar is made again", async () => {
    const bench = await openBench();
    await bench.put("<13>one", "<13>two");
    await seal(bench);
    const before = await readSidecar(join(bench.path, `${FIRST}.json`));
    await bench.close();
    await rm(join(bench.path, `${FIRST}.json`));
    const again = await openBench({ path: bench.path });
    expect(await readSidecar(join(bench.path, `${FIRST}.json`))).toEqual(before);
    await again.put("<13>three");
    expect((await again.records()).at(-1)?.seq).toBe(3);
  });

  test("records left unsealed are sealed", async () => {
    const bench = await openBench();
    await bench.put("<13>one");
    await bench.close();
    const again = await openBench({ path: bench.path });
    await again.store.keepHouse();
    expect(await again.names()).toEqual([`${FIRST}.json`, `${FIRST}.ndjson.zst`]);
  });
});

describe("retention removes the oldest first", () => {
  test("by age", async () => {
    const bench = await openBench({ retain: { age: days(1), size: 1e12, minFree: 0 } });
    await bench.put("<13>old");
    await seal(bench);
    bench.clock.advance(seconds(43_200));
    await bench.put("<13>young");
    await seal(bench);
    bench.clock.advance(seconds(43_200));
    await bench.store.keepHouse();
    await bench.store.keepHouse();
    expect(await bench.messages()).toEqual(["young"]);
    expect(bench.store.counters.removedSegments).toBe(1);
  });

  test("by size", async () => {
    const bench = await openBench({ retain: { age: days(30), size: 1_200, minFree: 0 } });
    for (const text of ["<13>one", "<13>two", "<13>three", "<13>four", "<13>five"]) {
      await bench.put(text);
      await seal(bench);
    }
    const left = await bench.messages();
    expect(left.at(-1)).toBe("five");
    expect(left.length).toBeLessThan(5);
    expect(bench.store.diskBytes).toBeLessThanOrEqual(1_200);
  });

  test("by what must stay free; and when nothing is left to remove, says that the disk is low", async () => {
    const bench = await openBench();
    await bench.put("<13>one");
    await seal(bench);
    await bench.put("<13>two");
    bench.disk.share = 0.01;
    await bench.store.keepHouse();
    expect(await bench.messages()).toEqual(["two"]);
    expect(bench.events.low).toBe(true);
    bench.disk.share = 0.5;
    await bench.store.keepHouse();
    expect(bench.events.low).toBe(false);
  });
});

describe("a disk that is full", () => {
  test("costs nothing when it has room again: all is written once, in order", async () => {
    const bench = await openBench();
    const texts = Array.from({ length: 50 }, (_, i) => `<13>message ${i}`);
    await bench.put(...texts.slice(0, 10));
    bench.disk.room = 500;
    await bench.put(...texts.slice(10, 30));
    expect(bench.failures).toEqual([1]);
    await bench.put(...texts.slice(30));
    await advanceUntil(bench.clock, () => bench.failures.length >= 4, milliseconds(50));
    expect(bench.failures.slice(0, 4)).toEqual([1, 2, 3, 4]);
    bench.disk.room = Infinity;
    await advanceUntil(
      bench.clock,
      () => bench.events.recoveries > 0 && bench.store.journal.waitingBytes === 0,
      milliseconds(50),
    );
    expect(await bench.messages()).toEqual(texts.map((text) => text.slice(4)));
    expect((await bench.records()).map(({ seq }) => seq)).toEqual(texts.map((_, i) => i + 1));
    expect(bench.store.journal.counters.lostRecords).toBe(0);
  });

  test("is known before anything is accepted, and leaves nothing behind", async () => {
    const bench = await openBench();
    bench.disk.room = 100;
    await expect(bench.store.proveWritable()).rejects.toThrow("cannot write to the store: the disk took 100 of 4096");
    await expect(bench.store.proveWritable()).rejects.toThrow("cannot write to the store: ENOSPC");
    bench.disk.room = Infinity;
    await bench.store.proveWritable();
    expect(await bench.names()).toEqual([]);
  });

  test("bounds memory: what does not fit is counted as store-full", async () => {
    const bench = await openBench({ mostSlabs: 3 });
    bench.disk.room = 0;
    const large = `<13>${"x".repeat(60_000)}`;
    const reasons = await bench.put(...Array.from({ length: 60 }, () => large));
    expect(reasons.filter((reason) => reason === "unparsed").length).toBeGreaterThan(0);
    expect(reasons.at(-1)).toBe("store-full");
    expect(bench.store.journal.waitingBytes).toBeLessThanOrEqual(3 << 20);
    bench.disk.room = Infinity;
    await advanceUntil(bench.clock, () => bench.store.journal.waitingBytes === 0, milliseconds(50));
    expect(await bench.put("<13>again")).toEqual(["unparsed"]);
    const kept = reasons.filter((reason) => reason === "unparsed").length;
    expect((await bench.records()).map(({ seq }) => seq)).toEqual(Array.from({ length: kept + 1 }, (_, i) => i + 1));
  });

  test("at the end, what could not be written is counted as lost", async () => {
    const bench = await openBench();
    bench.disk.room = 0;
    await bench.put("<13>one", "<13>two");
    await Promise.all([bench.close(), advanceUntil(bench.clock, () => bench.clock.now() > 4_000, milliseconds(50))]);
    expect(bench.store.journal.counters.lostRecords).toBe(2);
    expect(await readdir(bench.path)).not.toContain("writer.lock");
  });
});

test("a segment that somebody removed does not keep the others from being sealed", async () => {
  const bench = await openBench();
  await bench.put("<13>one");
  await bench.close();
  const second = await openBench({ path: bench.path });
  const gone = rm(join(bench.path, `${FIRST}.ndjson`), { force: true });
  await second.put("<13>two");
  await gone;
  await seal(second);
  expect(await second.messages()).toContain("two");
  expect((await second.names()).filter((name) => name.endsWith(".ndjson"))).toEqual([]);
});

/** What may happen to a store, in any order. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ put: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ room: fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.constant(Infinity)) }) },
  { weight: 2, arbitrary: fc.record({ advance: fc.constantFrom(1, 100, 1_000, 301_000) }) },
  { weight: 1, arbitrary: fc.record({ tear: fc.integer({ min: 1, max: 150 }) }) },
);

test("whatever happens, every record that was accepted is there once and in order when the disk works again", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      let bench = await openBench({ sealBytes: 1_500 });
      let sent = 0;
      for (const { put = 0, room, advance, tear } of steps as Partial<
        Record<"put" | "room" | "advance" | "tear", number>
      >[]) {
        if (room !== undefined) bench.disk.room = room;
        const reasons = bench.collect(...Array.from({ length: put }, () => `<13>message ${(sent += 1)}`));
        expect(reasons.every((reason) => reason === "unparsed")).toBe(true);
        if (advance !== undefined) bench.clock.advance(milliseconds(advance));
        if (tear === undefined) continue;
        // A crash: all is written, then half a line more.
        bench.disk.room = Infinity;
        await advanceUntil(bench.clock, () => bench.store.journal.waitingBytes === 0, milliseconds(50));
        await bench.close();
        const open = (await bench.names()).findLast((name) => name.endsWith(".ndjson"));
        if (open !== undefined) await appendFile(join(bench.path, open), `{"seq":99${"x".repeat(tear)}`);
        bench = await openBench({ path: bench.path, sealBytes: 1_500 });
      }
      bench.disk.room = Infinity;
      await advanceUntil(bench.clock, () => bench.store.journal.waitingBytes === 0, milliseconds(50));
      await seal(bench);
      const expected = Array.from({ length: sent }, (_, i) => [i + 1, `message ${i + 1}`]);
      expect((await bench.records()).map(({ seq, message }) => [seq, message])).toEqual(expected);
      const names = await bench.names();
      expect(names.filter((name) => !/\.(json|zst)$/.test(name))).toEqual([]);
      const sidecars = names.filter((name) => name.endsWith(".json"));
      const said = await Promise.all(sidecars.map((name) => readSidecar(join(bench.path, name))));
      expect(said.map((sidecar) => sidecar?.first)).toEqual(sidecars.map((name) => Number.parseInt(name, 10)));
      expect(said.reduce((sum, sidecar) => sum + (sidecar?.count ?? NaN), 0)).toBe(sent);
      await tidy();
    }),
    { numRuns: 40 },
  );
});

test("a write that hangs is seen, and does not stop collecting", async () => {
  const bench = await openBench();
  const gate = Promise.withResolvers<void>();
  bench.disk.gate = gate.promise;
  const hanging = bench.put("<13>one");
  await advanceUntil(bench.clock, () => bench.store.journal.busyFor >= 5_000, milliseconds(100));
  const second = bench.put("<13>two");
  gate.resolve();
  await Promise.all([hanging, second]);
  expect(bench.store.journal.busyFor).toBe(0);
  expect(await bench.messages()).toEqual(["one", "two"]);
});
