import { access, constants, mkdir, rm, stat } from "node:fs/promises";
import { seconds, type Clock, type Duration, type Timer } from "@stitch/clock";
import { systemDisk, type Disk } from "./files.ts";
import { Journal, type ClosedSegment, type JournalOptions } from "./journal.ts";
import { lockStore } from "./lock.ts";
import { proveWritable } from "./proof.ts";
import { recover, type Recovered } from "./recovery.ts";
import { enforce, type Retain } from "./retention.ts";
import { sealSegment, type SealedSegment } from "./sealing.ts";
import { openPath, sidecarPath } from "./segment.ts";
import { SettledTime } from "./settled-time.ts";

const HOUSEKEEPING: Duration = seconds(10);
/** A disk that takes nothing for this long at the end keeps what it has. Less than a service may take to close. */
const CLOSE_LIMIT: Duration = seconds(3);

/** What the store tells the rest of the collector. */
export interface StoreEvents {
  readonly onFailure: (failure: Error, inARow: number) => void;
  readonly onRecovery: () => void;
  /** After each housekeeping: is the file system fuller than minFree although all of ours that could go is gone? */
  readonly onSpace: (low: boolean) => void;
  /** A sentence for the log; a handful at start, then rarely. */
  readonly onNote: (note: string) => void;
}

export interface StoreOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly retain: Retain;
  /** How often written records are made to survive a loss of power. */
  readonly sync: Duration;
  readonly events: StoreEvents;
  readonly disk?: Disk;
  readonly sealBytes?: number;
  readonly sealAge?: Duration;
  readonly mostSlabs?: number;
}

/** The store of one collector: a journal that is written, sealed segments behind it, and what keeps both in bounds. */
export class Store {
  readonly journal: Journal;
  readonly counters = { removedSegments: 0, damagedSegments: 0 };
  readonly #options: StoreOptions;
  readonly #disk: Disk;
  readonly #unlock: () => Promise<void>;
  readonly #sealed: SealedSegment[];
  readonly #toSeal: ClosedSegment[];
  readonly #housekeeping: Timer;
  readonly #time: SettledTime;
  #keeping: Promise<void> | undefined;
  #closed = false;
  /** First number of a removed segment whose sidecar is kept until there is a newer segment. */
  #spent: number | undefined;
  /** What the last housekeeping failed with: said once, not every time. */
  #trouble = "";

  /** Rejects only when the path cannot be used at all (StoreLockedError, or the system's error). */
  static async open(options: StoreOptions): Promise<Store> {
    await mkdir(options.path, { recursive: true, mode: 0o750 });
    await access(options.path, constants.W_OK | constants.X_OK);
    const unlock = await lockStore(options.path);
    try {
      const recovered = await recover(options.path);
      return new Store(options, recovered, unlock);
    } catch (failure) {
      await unlock();
      throw failure;
    }
  }

  private constructor(options: StoreOptions, recovered: Recovered, unlock: () => Promise<void>) {
    const { path, clock, sync, events } = options;
    this.#options = options;
    this.#disk = options.disk ?? systemDisk;
    this.#unlock = unlock;
    this.#time = new SettledTime(clock);
    this.#sealed = [...recovered.sealed];
    this.#spent = recovered.spent;
    this.#toSeal = recovered.unsealed.map((first) => ({ first, summary: undefined }));
    this.counters.damagedSegments = recovered.damaged;
    for (const note of recovered.notes) events.onNote(note);
    const limits = definedLimits(options);
    const writing = { path, clock, sync, disk: this.#disk, firstSequence: recovered.nextSequence, ...limits };
    this.journal = new Journal({ ...writing, ...this.#journalEvents() });
    this.#housekeeping = clock.every("store-housekeeping", HOUSEKEEPING, () => void this.keepHouse());
    void this.keepHouse();
  }

  /** Bytes on disk: sealed segments, and the active one. */
  get diskBytes(): number {
    return this.#sealed.reduce((sum, { bytes }) => sum + bytes, this.journal.activeSegment?.bytes ?? 0);
  }

  get segments(): number {
    return this.#sealed.length + this.#toSeal.length + (this.journal.activeSegment === undefined ? 0 : 1);
  }

  /** Receive time of the newest record in the oldest sealed segment, RFC 3339. */
  get oldest(): string | undefined {
    return this.#sealed[0]?.until;
  }

  /** Seals what is closed and removes what may not stay. Never rejects. */
  keepHouse(): Promise<void> {
    this.#keeping ??= this.#keepHouse().finally(() => {
      this.#keeping = undefined;
    });
    return this.#keeping;
  }

  /** A full disk is known before the VIP is announced. Rejects with a sentence. */
  proveWritable(): Promise<void> {
    return proveWritable(this.#disk, this.#options.path);
  }

  /** Where the disk hangs, the lock stays: a write may still come through, and it goes stale with this process. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#housekeeping.cancel();
    if (!(await this.journal.close(CLOSE_LIMIT))) return;
    await this.#keeping;
    await this.#unlock();
  }

  /** Housekeeping at once: when a write fails it may make room, and when one succeeds again there is room to seal. */
  #journalEvents(): Pick<JournalOptions, "onClosed" | "onFailure" | "onRecovery"> {
    const { onFailure, onRecovery } = this.#options.events;
    return {
      onClosed: (segment) => {
        this.#toSeal.push(segment);
        void this.keepHouse();
      },
      onFailure: (failure, inARow) => {
        onFailure(failure, inARow);
        void this.keepHouse();
      },
      onRecovery: () => {
        onRecovery();
        void this.keepHouse();
      },
    };
  }

  /** Room is made before sealing, which needs some. */
  async #keepHouse(): Promise<void> {
    try {
      await this.#enforce();
      await this.#sealAll();
      this.#trouble = "";
    } catch (failure) {
      const { message } = failure as Error;
      if (message !== this.#trouble) this.#options.events.onNote(`housekeeping is tried again every 10 s: ${message}`);
      this.#trouble = message;
    }
  }

  /** One that cannot be read must not keep the others from being sealed, and in the end from being removed. */
  async #sealAll(): Promise<void> {
    const failed = new Map<ClosedSegment, Error>();
    const next = (): ClosedSegment | undefined => this.#toSeal.find((segment) => !failed.has(segment));
    for (let segment = next(); segment !== undefined && !this.#closed; segment = next()) {
      try {
        await this.#seal(segment);
        this.#toSeal.splice(this.#toSeal.indexOf(segment), 1);
      } catch (failure) {
        if (isFull(failure as NodeJS.ErrnoException)) throw failure;
        failed.set(segment, failure as Error);
      }
      await this.#enforce();
    }
    for (const failure of failed.values()) throw failure;
  }

  async #seal(segment: ClosedSegment): Promise<void> {
    const sealed = await sealSegment(this.#options.path, segment).catch((failure: NodeJS.ErrnoException) => {
      if (failure.code !== "ENOENT") throw failure;
      this.#options.events.onNote(`segment ${segment.first} was removed by somebody before it could be sealed`);
    });
    if (sealed === undefined) return;
    this.#sealed.push(sealed);
    this.#sealed.sort((a, b) => a.first - b.first);
    if (this.#spent === undefined) return;
    await rm(sidecarPath(this.#options.path, this.#spent), { force: true });
    this.#spent = undefined;
  }

  async #enforce(): Promise<void> {
    const { path, retain, events } = this.#options;
    const unsealed = await this.#unsealedBytes();
    const { removed, spent, low } = await enforce(path, retain, {
      sealed: this.#sealed,
      activeBytes: unsealed,
      wallMicros: this.#time.wallMicros(),
      disk: this.#disk,
    });
    this.counters.removedSegments += removed;
    this.#spent = spent ?? this.#spent;
    events.onSpace(low);
  }

  async #unsealedBytes(): Promise<number> {
    let total = this.journal.activeSegment?.bytes ?? 0;
    for (const { first } of this.#toSeal) {
      total += await stat(openPath(this.#options.path, first)).then(
        ({ size }) => size,
        () => 0,
      );
    }
    return total;
  }
}

/** Then the next segment would fail as well. */
function isFull({ code }: NodeJS.ErrnoException): boolean {
  return code === "ENOSPC" || code === "EDQUOT";
}

function definedLimits({
  sealBytes,
  sealAge,
  mostSlabs,
}: StoreOptions): Pick<StoreOptions, "sealBytes" | "sealAge" | "mostSlabs"> {
  return {
    ...(sealBytes === undefined ? {} : { sealBytes }),
    ...(sealAge === undefined ? {} : { sealAge }),
    ...(mostSlabs === undefined ? {} : { mostSlabs }),
  };
}
