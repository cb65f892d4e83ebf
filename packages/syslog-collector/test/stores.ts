import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { days, seconds, type Duration } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { Collector } from "../src/collector.ts";
import { REASONS, type Reason } from "../src/reasons.ts";
import { systemDisk, type Disk, type SegmentFile } from "../src/store/files.ts";
import { readRecords, type ReadOptions } from "../src/store/reader.ts";
import type { LogRecord } from "../src/store/record.ts";
import { Store, type StoreOptions } from "../src/store/store.ts";
import { arrivalsOf, RECEIVED, type Sent } from "./arrivals.ts";

/** A disk that does as it is told: a quota in bytes, then ENOSPC, half-way through a write if it falls so. */
class FickleDisk implements Disk {
  /** Bytes that may still be written. */
  room = Infinity;
  share = 1;
  /** Writes wait for this. */
  gate: Promise<void> = Promise.resolve();
  /** What a sync, a close or a truncation fails with, while there is something here. */
  syncFailure: Error | undefined;
  closeFailure: Error | undefined;
  truncateFailure: Error | undefined;
  /** Files and folders that were made to survive a loss of power, in order. */
  readonly synced: string[] = [];

  async create(path: string): Promise<SegmentFile> {
    const file = await systemDisk.create(path);
    return {
      write: async (bytes, offset, length) => {
        await this.gate;
        if (this.room <= 0) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
        const taken = await file.write(bytes, offset, Math.min(length, this.room));
        this.room -= taken;
        return taken;
      },
      sync: async () => {
        if (this.syncFailure !== undefined) throw this.syncFailure;
        await file.sync();
        this.synced.push(basename(path));
      },
      truncate: async (length) => {
        if (this.truncateFailure !== undefined) throw this.truncateFailure;
        await file.truncate(length);
      },
      close: async () => {
        await file.close();
        if (this.closeFailure !== undefined) throw this.closeFailure;
      },
    };
  }

  async syncFolder(path: string): Promise<void> {
    await systemDisk.syncFolder(path);
    this.synced.push("folder");
  }

  freeShare(): Promise<number> {
    return Promise.resolve(this.share);
  }
}

export interface Bench {
  readonly path: string;
  readonly clock: FakeClock;
  readonly store: Store;
  readonly disk: FickleDisk;
  readonly notes: string[];
  readonly failures: number[];
  readonly events: { recoveries: number; low: boolean };
  /** Collects datagrams; they are written when the journal thinks fit. */
  collect(...texts: readonly (string | Sent)[]): Reason[];
  /** Collects datagrams and has them written. */
  put(...texts: readonly (string | Sent)[]): Promise<Reason[]>;
  records(filter?: Partial<ReadOptions>): Promise<LogRecord[]>;
  messages(filter?: Partial<ReadOptions>): Promise<string[]>;
  names(): Promise<string[]>;
  close(): Promise<void>;
}

const benches: Bench[] = [];
const folders: string[] = [];

export async function newFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "stitch-syslog-"));
  folders.push(path);
  return path;
}

/** For afterEach: stores closed, folders gone. */
export async function tidy(): Promise<void> {
  for (const bench of benches.splice(0)) await bench.close();
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true });
}

export async function openBench(options: Partial<StoreOptions> & { path?: string } = {}): Promise<Bench> {
  const path = options.path ?? (await newFolder());
  const clock = new FakeClock(RECEIVED.seconds * 1e6);
  const disk = new FickleDisk();
  const notes: string[] = [];
  const failures: number[] = [];
  const events = { recoveries: 0, low: false };
  const store = await Store.open({
    clock,
    disk,
    retain: { age: days(30), size: 1e12, minFree: 0.05 },
    sync: seconds(1),
    events: {
      onFailure: (_failure, inARow) => void failures.push(inARow),
      onRecovery: () => void (events.recoveries += 1),
      onSpace: (low) => void (events.low = low),
      onNote: (note) => void notes.push(note),
    },
    ...options,
    path,
  });
  const collector = new Collector(store.journal);
  let closed: Promise<void> | undefined;
  const bench: Bench = {
    path,
    clock,
    store,
    disk,
    notes,
    failures,
    events,
    collect(...texts) {
      const sent = texts.map((text) => (typeof text === "string" ? { bytes: Buffer.from(text) } : text));
      const arrivals = arrivalsOf(sent.map((one) => ({ seconds: clock.wallMicros() / 1e6, ...one })));
      return sent.map((_, slot) => REASONS[collector.collect(arrivals, slot)] as Reason);
    },
    async put(...texts) {
      const reasons = bench.collect(...texts);
      await store.journal.flush();
      return reasons;
    },
    async records(filter = {}) {
      return Array.fromAsync(readRecords({ path, ...filter }));
    },
    async messages(filter = {}) {
      return (await bench.records(filter)).map(({ message }) => message);
    },
    async names() {
      return (await readdir(path)).filter((name) => name !== "writer.lock").toSorted();
    },
    close() {
      closed ??= store.close();
      return closed;
    },
  };
  benches.push(bench);
  return bench;
}

/** Ends the active segment by age and waits until it is sealed. */
export async function seal(bench: Bench): Promise<void> {
  bench.clock.advance(seconds(301));
  await bench.store.journal.flush();
  await bench.store.keepHouse();
}

/** Polls, in real time, until `done`; fails after fifteen seconds with what `done` last said. */
export async function eventually(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let turn = 0; turn < 1_500; turn += 1) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`never happened: ${what}`);
}

/** Moves the fake clock in small steps, a real millisecond apart for files to be written, until `done`. */
export async function advanceUntil(clock: FakeClock, done: () => boolean, step: Duration): Promise<void> {
  for (let turn = 0; turn < 2_000 && !done(); turn += 1) {
    clock.advance(step);
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
  if (!done()) throw new Error("never happened");
}

export async function contents(path: string, name: string): Promise<string> {
  return readFile(join(path, name), "utf8");
}
