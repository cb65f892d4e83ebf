import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { milliseconds, seconds, SystemClock, type Timer } from "@stitch/clock";
import { afterEach, describe, expect, test, vi } from "vitest";
import { follow } from "../src/store/follow.ts";
import { microsOf } from "../src/store/filter.ts";
import type { LogRecord } from "../src/store/record.ts";
import { formatRecord } from "../src/store/terminal-line.ts";
import { RECEIVED } from "./arrivals.ts";
import { collect } from "./collecting.ts";
import { advanceUntil, eventually, openBench, seal, tidy, type Bench } from "./stores.ts";

// Files and processes on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 30_000 });

afterEach(tidy);

const START = RECEIVED.seconds * 1e6;

async function filled(): Promise<Bench> {
  const bench = await openBench();
  await bench.put("<11>Nov 22 14:42:01 sw1 a: first", {
    bytes: Buffer.from("<14>Nov 22 14:42:01 sw2 a: second"),
    from: { address: "192.0.2.9", port: 5 },
  });
  await seal(bench);
  await bench.put('<12>Nov 22 14:42:01 SW1 a: third \u0001 \u{1f600} "quoted"', "fourth");
  return bench;
}

/** Tells how often a follower has looked in vain. */
class CountingClock extends SystemClock {
  pauses = 0;

  override after(...timer: Parameters<SystemClock["after"]>): Timer {
    this.pauses += 1;
    return super.after(...timer);
  }

  reach(pauses: number): Promise<void> {
    return eventually(() => this.pauses >= pauses, "the follower looks");
  }
}

function start(
  bench: Bench,
  options: Partial<Parameters<typeof follow>[0]> = {},
): { seen: LogRecord[]; stop: () => Promise<void>; looks: (more: number) => Promise<void> } {
  const clock = new CountingClock();
  const abort = new AbortController();
  const seen: LogRecord[] = [];
  const running = (async () => {
    const records = follow({ path: bench.path, clock, signal: abort.signal, ...options });
    for await (const record of records) seen.push(record);
  })();
  return {
    seen,
    looks: (more) => clock.reach(clock.pauses + more),
    stop: () => {
      abort.abort();
      return running;
    },
  };
}

describe("a search", () => {
  test.each([
    ["by sender", { sender: "192.0.2.9" }, ["second"]],
    ["by host, whatever its case", { host: "sw1" }, ["first", 'third \u0001 \u{1f600} "quoted"']],
    ["by severity and worse", { severity: 3 }, ["first"]],
    ["by text", { text: "ir" }, ["first", 'third \u0001 \u{1f600} "quoted"']],
    ["by text that JSON escapes", { text: '\u0001 \u{1f600} "q' }, ['third \u0001 \u{1f600} "quoted"']],
    ["by text that only our keys contain", { text: '"seq":' }, []],
    ["since", { since: START + 10e6 }, ['third \u0001 \u{1f600} "quoted"', "fourth"]],
    ["until", { until: START + 10e6 }, ["first", "second"]],
    ["by several at once", { host: "sw1", severity: 4, since: START + 10e6 }, ['third \u0001 \u{1f600} "quoted"']],
  ])("%s", async (_name, filter, expected) => {
    const bench = await filled();
    expect(await bench.messages(filter)).toEqual(expected);
  });

  test("finds text anywhere in a datagram that is not UTF-8, as in one that is", async () => {
    const bench = await openBench();
    const bytes = Buffer.from("<189>7: %LINK-3-UPDOWN: Interface caf\u00e9 \u00dcber down", "latin1");
    await bench.put(
      { bytes },
      { bytes: Buffer.from("<189>\u00fc su[7]: \u{1f600} then \xff", "utf8").subarray(0, -2) },
    );
    await bench.put({ bytes: Buffer.concat([Buffer.from("<13>h\u{1f600} %A-1-B: "), Buffer.from([0xff])]) });
    for (const text of ["%LINK-3-UPDOWN: Interface", "<189>7", "caf\u00e9 \u00dc"])
      expect((await bench.records({ text })).map(({ seq }) => seq)).toEqual([1]);
    expect((await bench.records({ text: "h\u{1f600} %A" })).map(({ seq }) => seq)).toEqual([3]);
    expect(await bench.records({ text: "raw64" })).toEqual([]);
  });

  test.each(["fe80::1%2", "FE80:0::1%2", "fe80::1"])(
    "finds a link-local sender by %s, sealed or not",
    async (sender) => {
      const bench = await openBench();
      const from = { address: "fe80::1%2", port: 514 };
      await bench.put({ bytes: Buffer.from("<13>one"), from }, "other");
      expect(await bench.messages({ sender })).toEqual(["one"]);
      await seal(bench);
      expect(await bench.messages({ sender })).toEqual(["one"]);
      expect(await bench.messages({ sender: "fe80::1%3" })).toEqual([]);
    },
  );

  test("finds what was received while the clock was behind, in a sealed segment that began later", async () => {
    const bench = await openBench();
    await bench.put("<13>before");
    bench.clock.stepWall(-3_600e6);
    await bench.put("<13>stepped back");
    await seal(bench);
    expect(await bench.messages({ until: START - 1_800e6 })).toEqual(["stepped back"]);
    expect(await bench.messages({ since: START - 1 })).toEqual(["before"]);
  });

  test("does not open a sealed segment that cannot match", async () => {
    const bench = await filled();
    await writeFile(join(bench.path, "0000000000000001.ndjson.zst"), "damaged");
    const damaged: string[] = [];
    const onDamaged = (file: string): void => void damaged.push(file);
    expect(await bench.messages({ since: START + 10e6, onDamaged })).toHaveLength(2);
    expect(await bench.messages({ sender: "192.0.2.77", onDamaged })).toEqual([]);
    expect(damaged).toEqual([]);
  });

  test("goes on after a damaged segment, and says which", async () => {
    const bench = await filled();
    await writeFile(join(bench.path, "0000000000000001.ndjson.zst"), "damaged");
    const damaged: string[] = [];
    const found = await bench.messages({ onDamaged: (file) => void damaged.push(file) });
    expect(found).toHaveLength(2);
    expect(damaged.join()).toMatch(/0000000000000001\.ndjson\.zst$/);
  });

  test("runs beside the writer and sees whole records only", async () => {
    const bench = await openBench({ sealBytes: 20_000 });
    const progress = { written: 0 };
    const writing = (async () => {
      for (; progress.written < 2_000; progress.written += 20) {
        await bench.put(...Array.from({ length: 20 }, (_, i) => `<13>message ${progress.written + i}`));
      }
    })();
    while (progress.written < 2_000) {
      const before = progress.written;
      const found = await bench.messages();
      expect(found.length).toBeGreaterThanOrEqual(before);
      expect(found).toEqual(found.map((_, i) => `message ${i}`));
    }
    await writing;
    expect(await bench.messages()).toHaveLength(2_000);
  });
});

describe("following", () => {
  test("gives new records only, across sealing and a restart of the collector", async () => {
    const bench = await openBench();
    await bench.put("<13>old");
    const { seen, stop } = start(bench, { after: 1 });
    await bench.put("<13>one");
    await eventually(() => seen.length === 1, "one");
    await seal(bench);
    await bench.put("<13>two");
    await eventually(() => seen.length === 2, "two");
    await bench.put("<13>three");
    await bench.close();
    const again = await openBench({ path: bench.path });
    await again.store.keepHouse();
    await again.put("<13>four");
    await seal(again);
    await again.put("<13>five");
    await eventually(() => seen.length === 5, "five");
    await stop();
    expect(seen.map(({ seq, message }) => [seq, message])).toEqual([
      [2, "one"],
      [3, "two"],
      [4, "three"],
      [5, "four"],
      [6, "five"],
    ]);
  });

  test("begins where the store ends", async () => {
    const bench = await openBench();
    await bench.put("<13>old");
    const { seen, stop } = start(bench);
    for (let i = 0; i < 500 && seen.length < 3; i += 1) {
      await bench.put(`<13>new ${i}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await stop();
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(seen.map(({ message }) => message)).not.toContain("old");
    expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, i) => (seen[0]?.seq ?? 0) + i));
  });

  test("tells the last records first where that is asked for, and each once", async () => {
    const bench = await openBench();
    await bench.put(...Array.from({ length: 5 }, (_, i) => `<13>old ${i}`), "<11>bad");
    const { seen, stop } = start(bench, { recent: 2 });
    await eventually(() => seen.length === 2, "two");
    await bench.put("<13>new");
    await eventually(() => seen.length === 3, "three");
    await stop();
    expect(seen.map(({ message }) => message)).toEqual(["old 4", "bad", "new"]);
  });

  test("the last records are those that match", async () => {
    const bench = await openBench();
    await bench.put("<11>one", "<13>other", "<11>two", "<13>other");
    const { seen, stop } = start(bench, { recent: 10, severity: 3 });
    await eventually(() => seen.length === 2, "two");
    await stop();
    expect(seen.map(({ message }) => message)).toEqual(["one", "two"]);
  });

  test("the last records are looked for in the last MiB, whose first line is cut", async () => {
    const bench = await openBench();
    const long = "x".repeat(40_000);
    for (let i = 0; i < 40; i += 1) await bench.put(`<13>${i} ${long}`);
    const { seen, stop } = start(bench, { recent: 40 });
    await eventually(() => seen.at(-1)?.seq === 40, "the last");
    await stop();
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.length).toBeLessThan(30);
    expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, i) => 41 - seen.length + i));
  });

  test("misses nothing while segments are sealed as fast as they can be", async () => {
    const bench = await openBench({ sealBytes: 3_000 });
    const { seen, stop } = start(bench, { after: 0 });
    for (let i = 0; i < 1_000; i += 10) {
      await bench.put(...Array.from({ length: 10 }, (_, k) => `<13>message ${i + k}`));
    }
    await eventually(() => seen.length >= 1_000, "a thousand");
    await stop();
    expect(seen.map(({ message }) => message)).toEqual(Array.from({ length: 1_000 }, (_, i) => `message ${i}`));
  });

  test("forgets half a line that it read when it is cut off, and reads the whole one", async () => {
    const bench = await openBench();
    const plain = join(bench.path, "0000000000000001.ndjson");
    bench.disk.room = 100;
    bench.disk.truncateFailure = new Error("EIO: i/o error, ftruncate");
    await bench.put("<13>one", "<13>two");
    const { seen, stop, looks } = start(bench, { after: 0 });
    await looks(2);
    expect(await readFile(plain, "utf8")).toHaveLength(100);
    const gate = Promise.withResolvers<void>();
    bench.disk.gate = gate.promise;
    bench.disk.truncateFailure = undefined;
    bench.disk.room = Infinity;
    bench.clock.advance(seconds(2));
    await eventually(async () => (await readFile(plain, "utf8")) === "", "cut");
    await looks(2);
    gate.resolve();
    await eventually(() => seen.length === 2, "both");
    await stop();
    expect(seen.map(({ message }) => message)).toEqual(["one", "two"]);
  });

  test("sees that a restart began the segment anew, because a full disk had left it empty", async () => {
    const bench = await openBench();
    await bench.put("<13>one");
    await seal(bench);
    bench.disk.room = 0;
    await bench.put("<13>lost");
    const { seen, stop, looks } = start(bench, { after: 0 });
    await eventually(() => seen.length === 1, "one");
    const opened = (await bench.names()).filter((name) => name.endsWith(".ndjson"));
    expect(opened).toEqual(["0000000000000002.ndjson"]);
    await looks(2);
    await Promise.all([bench.close(), advanceUntil(bench.clock, () => bench.clock.now() > 305_000, milliseconds(50))]);
    const again = await openBench({ path: bench.path });
    await again.put("<13>two");
    await again.put("<13>three");
    await eventually(() => seen.length === 3, "all three");
    await stop();
    expect(seen.map(({ seq, message }) => [seq, message])).toEqual([
      [1, "one"],
      [2, "two"],
      [3, "three"],
    ]);
  });

  test("filters", async () => {
    const bench = await openBench();
    const { seen, stop } = start(bench, { after: 0, severity: 3 });
    await bench.put("<14>info", "<11>error", "none");
    await eventually(() => seen.length === 1, "the error");
    await stop();
    expect(seen.map(({ message }) => message)).toEqual(["error"]);
  });
});

describe("a line for a terminal", () => {
  test("names time, sender, host, level, origin and text", () => {
    const { record } = collect(Buffer.from("<189>1 - sw1 app 7 ID - text"));
    expect(formatRecord(record as LogRecord)).toBe(
      "2026-11-22 14:42:01.123 192.0.2.1 sw1 local7.notice app[7] ID: text",
    );
  });

  test("does without what is missing", () => {
    const { record } = collect(Buffer.from("hello"));
    expect(formatRecord(record as LogRecord)).toBe("2026-11-22 14:42:01.123 192.0.2.1 - - hello");
  });

  test("shows what a terminal would act on, in every field", () => {
    const hostile = "a\u001b[2J\u0007\r\nb\u009b31m\u202ec\u2028d";
    const { record } = collect(Buffer.from(`<13>1 - h\u001b[1m a\u009bb 1\u007f - - ${hostile}`));
    const line = formatRecord(record as LogRecord);
    // oxlint-disable-next-line no-control-regex
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(line).toContain(String.raw`a\x1b[2J\x07\x0d\nb\x9b31m\u202ec\u2028d`);
  });
});

test("receive times are read to the microsecond", () => {
  expect(microsOf("2026-11-22T14:42:01.123456789Z")).toBe(START + 123_456);
  expect(microsOf("2026-11-22T14:42:01Z")).toBe(START);
});
