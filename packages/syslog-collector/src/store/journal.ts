import {
  elapsed,
  milliseconds,
  minutes,
  scaled,
  seconds,
  type Clock,
  type Duration,
  type Instant,
} from "@stitch/clock";
import type { Timer } from "@stitch/clock";
import type { LineSink } from "../collector.ts";
import type { Arrival } from "../record-line.ts";
import type { Disk } from "./files.ts";
import { cut, type Generation, type OpenSegment } from "./open-segment.ts";
import { proveWritable } from "./proof.ts";
import { openPath } from "./segment.ts";
import { firstUnwritten, lineStart, Slabs, type Slab } from "./slabs.ts";
import { Summary } from "./summary.ts";

/** Lines wait this long for company, so that a trickle costs one write and a flood a few large ones. */
const GATHERING: Duration = milliseconds(5);
const SEAL_BYTES = 64 << 20;
const SEAL_AGE: Duration = minutes(5);
const SOON: Duration = milliseconds(100);
const RETRY: Duration = seconds(1);
/** Of the time to close: what is left is for the attempt under way to end. */
const RETRIES_SHARE = 0.8;

/** A segment that takes no more records and may be sealed. */
export interface ClosedSegment {
  readonly first: number;
  readonly summary: Summary | undefined;
}

export interface JournalOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly firstSequence: number;
  readonly sync: Duration;
  readonly sealBytes?: number;
  readonly sealAge?: Duration;
  readonly mostSlabs?: number;
  readonly onClosed: (segment: ClosedSegment) => void;
  /** Called after every failed attempt to write, with how many failed in a row. */
  readonly onFailure: (failure: Error, inARow: number) => void;
  /** Called when a write succeeds after failures. */
  readonly onRecovery: () => void;
}

/**
 * Appends lines to the active segment: memory first, disk within milliseconds, in large writes.
 *
 * Normal: a batch of 30 lines lands in the current slab; 5 ms later the slab is handed over and written by one call,
 * while the next batch fills another slab. Hard: the disk fills. The write takes 700 of 9,000 bytes and then fails.
 * The file is cut back to its last whole line, the rest stays in memory, every second a new segment is tried, and new
 * lines gather up to MOST_SLABS; then `reserve` says no, and the collector counts what it cannot keep. When there is
 * room again, everything that waited is written in order.
 */
export class Journal implements LineSink {
  readonly counters = { writes: 0, writtenBytes: 0, writeFailures: 0, lostRecords: 0 };
  readonly #options: JournalOptions;
  readonly #slabs: Slabs<Generation>;
  #nextSequence: number;
  #generation: Generation;
  #segment: OpenSegment | undefined;
  #draining: Promise<void> | undefined;
  #gathering: Timer | undefined;
  #retry: Timer | undefined;
  readonly #syncTimer: Timer;
  #failures = 0;
  /** The last sync failed: writes that succeed prove nothing until one does not. */
  #unsyncable = false;
  #syncDue = false;
  /** What is in the filling slab has waited long enough. */
  #writeDue = false;
  #busySince: Instant | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#nextSequence = options.firstSequence;
    this.#generation = this.#newGeneration();
    this.#slabs = new Slabs(this.#generation, options.mostSlabs);
    this.#syncTimer = options.clock.every("store-sync", options.sync, () => this.#tick());
  }

  get bytes(): Uint8Array {
    return this.#slabs.filling.bytes;
  }

  get at(): number {
    return this.#slabs.filling.length;
  }

  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** Bytes in memory that are not yet in a file. */
  get waitingBytes(): number {
    return this.#slabs.waitingBytes;
  }

  /** What the slabs take, full or not. */
  get heldBytes(): number {
    return this.#slabs.heldBytes;
  }

  /** First sequence number of the segment that is being written. */
  get activeSegment(): { readonly first: number; readonly bytes: number } | undefined {
    return this.#segment === undefined ? undefined : { first: this.#segment.first, bytes: this.#segment.length };
  }

  /** How long the write under way has taken. */
  get busyFor(): Duration {
    const since = this.#busySince;
    return since === undefined ? milliseconds(0) : elapsed(since, this.#options.clock.now());
  }

  reserve(room: number): boolean {
    if (this.#slabs.hasRoom(room)) return true;
    if (this.#slabs.full) return false;
    this.#slabs.handOver(this.#generation);
    void this.#drain();
    return true;
  }

  commit(end: number, arrival: Arrival, priority: number): void {
    const slab = this.#slabs.filling;
    const length = end - slab.length;
    if (slab.length === 0) slab.first = this.#nextSequence;
    slab.length = end;
    const { summary } = this.#generation;
    summary.add(this.#nextSequence, length, arrival.seconds, priority, arrival.peers, arrival.peerOffset);
    this.#nextSequence += 1;
    this.#gathering ??= this.#options.clock.after("store-gathering", GATHERING, () => this.#gathered());
    if (summary.bytes >= (this.#options.sealBytes ?? SEAL_BYTES)) this.#nextGeneration();
  }

  /** Writes all that waits, as far as the disk allows. */
  async flush(): Promise<void> {
    this.#gathered();
    while (this.#draining !== undefined) await this.#draining;
  }

  /**
   * Writes and syncs what it can; what the disk does not take within `limit` is counted as lost. Resolves with false
   * when the last write hangs, so that nobody else may touch the store yet.
   */
  async close(limit: Duration): Promise<boolean> {
    const { clock } = this.#options;
    let trying = true;
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const timers = [
      clock.after("store-close-retries", scaled(limit, RETRIES_SHARE), () => (trying = false)),
      clock.after("store-close", limit, () => resolve(false)),
    ];
    const ended = await Promise.race([this.#closeAll(() => trying), late]);
    trying = false;
    for (const timer of [...timers, this.#syncTimer, this.#gathering, this.#retry]) timer?.cancel();
    this.counters.lostRecords += this.#slabs.waitingLines;
    return ended;
  }

  /** A write that fails is tried again as ever: retention may have made room. */
  async #closeAll(trying: () => boolean): Promise<true> {
    this.#syncDue = true;
    await this.flush();
    while (trying() && this.#slabs.waitingBytes > 0) {
      await new Promise<void>((resolve) => void this.#options.clock.after("store-close-wait", SOON, resolve));
      await this.flush();
    }
    this.#retry?.cancel();
    await this.#segment?.file.close();
    return true;
  }

  /** While the disk is behind, lines go on sharing the slab: else a trickle would take one every few milliseconds. */
  #gathered(): void {
    this.#gathering?.cancel();
    this.#gathering = undefined;
    this.#writeDue = true;
    void this.#drain();
  }

  #newGeneration(): Generation {
    return { summary: new Summary(), began: this.#options.clock.now() };
  }

  /** With memory at its bound the segment grows on: a new one would take another slab. */
  #nextGeneration(): void {
    if (this.#slabs.full && this.#slabs.filling.length > 0) return;
    this.#generation = this.#newGeneration();
    this.#slabs.handOver(this.#generation);
    if (this.#slabs.next !== undefined || this.#segment !== undefined) void this.#drain();
  }

  #tick(): void {
    const { summary, began } = this.#generation;
    const age = elapsed(began, this.#options.clock.now());
    // An empty generation does not age: its five minutes begin with its first record, give or take a tick.
    if (summary.count === 0 || age >= (this.#options.sealAge ?? SEAL_AGE)) this.#nextGeneration();
    this.#syncDue ||= this.#unsyncable || this.#segment?.unsynced === true;
    if (this.#syncDue) void this.#drain();
  }

  #drain(): Promise<void> {
    this.#draining ??= this.#drainAll().finally(() => {
      this.#draining = undefined;
      if (this.#retry === undefined && (this.#slabs.next !== undefined || this.#writeDue || this.#syncDue))
        void this.#drain();
    });
    return this.#draining;
  }

  /** The only place that touches files, and never twice at a time. */
  async #drainAll(): Promise<void> {
    while (this.#retry === undefined) {
      const slab = this.#slabs.next ?? this.#dueSlab();
      if (this.#syncDue) {
        this.#syncDue = false;
        if (!(await this.#attempt(() => this.#sync()))) return;
      } else if (slab === undefined) break;
      else {
        if (!(await this.#attempt(() => this.#write(slab)))) return;
        this.#slabs.release();
      }
    }
    const ended = this.#segment !== undefined && this.#segment.generation !== this.#generation;
    if (ended && this.#retry === undefined) {
      await this.#attempt(() => this.#closeSegment());
    }
  }

  /** The filling slab, handed over because nothing waits before it and its lines have waited long enough. */
  #dueSlab(): Slab<Generation> | undefined {
    if (this.#writeDue) this.#slabs.handOver(this.#generation);
    this.#writeDue = false;
    return this.#slabs.next;
  }

  /** After a failure a block of no use is synced: when the route is gone no record comes that could show the recovery. */
  async #sync(): Promise<void> {
    const { disk, path } = this.#options;
    if (this.#segment?.unsynced === true) return this.#syncSegment(this.#segment);
    if (!this.#unsyncable) return;
    await proveWritable(disk, path);
    this.#unsyncable = false;
  }

  async #syncSegment(segment: OpenSegment): Promise<void> {
    if (!segment.unsynced) return;
    segment.unsynced = false;
    this.#unsyncable = true;
    await segment.file.sync();
    if (!segment.named) await this.#options.disk.syncFolder(this.#options.path);
    segment.named = true;
    this.#unsyncable = false;
  }

  async #attempt(act: () => Promise<void>): Promise<boolean> {
    this.#busySince ??= this.#options.clock.now();
    try {
      await act();
      if (!this.#unsyncable) this.#recovered();
      return true;
    } catch (failure) {
      await this.#failed(failure instanceof Error ? failure : new Error(String(failure)));
      return false;
    } finally {
      this.#busySince = undefined;
    }
  }

  #recovered(): void {
    if (this.#failures > 0) this.#options.onRecovery();
    this.#failures = 0;
  }

  async #write(slab: Slab<Generation>): Promise<void> {
    const segment = await this.#segmentFor(slab);
    if (segment.torn) await cut(segment);
    while (slab.written < slab.length) {
      const taken = await segment.file.write(slab.bytes, slab.written, slab.length - slab.written);
      if (taken <= 0) throw new Error("the file system took no bytes");
      slab.written += taken;
      segment.length += taken;
      segment.unsynced = true;
      this.counters.writes += 1;
      this.counters.writtenBytes += taken;
    }
  }

  async #segmentFor(slab: Slab<Generation>): Promise<OpenSegment> {
    if (this.#segment !== undefined && this.#segment.generation !== slab.generation) await this.#closeSegment();
    if (this.#segment !== undefined) return this.#segment;
    const first = firstUnwritten(slab);
    const { generation } = slab;
    const file = await this.#options.disk.create(openPath(this.#options.path, first));
    const whole = first === generation.summary.first;
    this.#segment = { file, first, generation, whole, length: 0, unsynced: false, named: false, torn: false };
    return this.#segment;
  }

  /** Ends the open segment; with `whole`, its summary is the generation's. */
  async #closeSegment(cutShort = false): Promise<void> {
    const segment = this.#segment;
    if (segment === undefined) return;
    const count = (failure: Error): void => void (cutShort || this.#count(failure)); // cut short: counted already
    await this.#syncSegment(segment).catch(count);
    this.#segment = undefined;
    await segment.file.close().catch(count);
    const summary = segment.whole && !cutShort ? segment.generation.summary : undefined;
    this.#options.onClosed({ first: segment.first, summary });
  }

  /** Leaves the file with whole lines only and starts another at the next attempt. */
  async #failed(failure: Error): Promise<void> {
    this.#count(failure);
    await this.#abandonSegment();
    this.#retry ??= this.#options.clock.after("store-retry", this.#failures === 1 ? SOON : RETRY, () => {
      this.#retry = undefined;
      void this.#drain();
    });
  }

  #count(failure: Error): void {
    this.#failures += 1;
    this.counters.writeFailures += 1;
    this.#options.onFailure(failure, this.#failures);
  }

  async #abandonSegment(): Promise<void> {
    const segment = this.#segment;
    const slab = this.#slabs.next;
    if (segment === undefined) return;
    const torn = slab === undefined ? 0 : slab.written - lineStart(slab);
    if (slab !== undefined && torn > 0) {
      slab.written -= torn;
      segment.length -= torn;
      segment.torn = true;
      await cut(segment).catch(() => undefined);
    }
    if (segment.length > 0) await this.#closeSegment(true);
  }
}
