import { formatWall, type Clock } from "@stitch/clock";
import type { Phase, Verdict as HealthVerdict } from "@stitch/health";
import type { LeaseLoss } from "./check/lease.ts";
import type { StateName, Verdict, Wish } from "./decision/machine.ts";
import type { Reason } from "./decision/reasons.ts";
import { JournalFile } from "./journal-file.ts";
import type { AlarmCode } from "./loop/reasons.ts";

/** Entries kept in memory for `explain`: so many for each VIP, and for each other kind. */
const MOST_REMEMBERED = 200;

interface Stamp {
  readonly id: number;
  /** RFC 3339, UTC. */
  readonly at: string;
}

/** The state of a VIP, or what the router should hear of it, has changed. */
export interface DecisionEntry {
  readonly kind: "decision";
  readonly vip: string;
  readonly service: string;
  readonly from: StateName;
  readonly to: StateName;
  readonly verdict: Verdict;
  readonly wish: { readonly from: Wish; readonly to: Wish };
  readonly reason: Reason;
  readonly detail: string;
  /** What a check said, what an operator or a reload asked for, or the decision that this one follows from. */
  readonly cause: number | undefined;
}

/** What a check has come to. */
export type HealthSaid =
  | { readonly said: "report"; readonly phase: Phase; readonly verdict: HealthVerdict }
  | { readonly said: "lost"; readonly reason: LeaseLoss }
  /** Whether the VIP is an address of this machine; the first thing said of it is that it is not. */
  | { readonly said: "address"; readonly present: boolean }
  | { readonly said: "poll"; readonly verdict: HealthVerdict }
  | { readonly said: "judged"; readonly verdict: HealthVerdict; readonly reason: Reason; readonly good: boolean };

/** The check of a VIP says something else than before. */
export type HealthEntry = HealthSaid & {
  readonly kind: "health";
  readonly vip: string;
  readonly service: string;
  readonly detail: string;
};

/** An UPDATE with VIPs of ours was handed to the kernel. `cause` is the decision or the session entry behind it. */
export interface UpdateEntry {
  readonly kind: "update";
  readonly peer: string;
  readonly announced: readonly string[];
  readonly withdrawn: readonly string[];
  readonly cause: number | undefined;
}

export interface SessionEntry {
  readonly kind: "session";
  readonly peer: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly detail: string;
}

/** Someone asked for something. */
export interface OperatorEntry {
  readonly kind: "operator";
  readonly action: "drain" | "undrain";
  readonly vips: readonly string[];
  readonly reason: string;
  readonly forced: boolean;
  /** Over the network, by the remote control; absent for the control socket. */
  readonly via?: "remote";
}

/** A drain waits, and why; the VIP stays on last resort. */
export interface HeldEntry {
  readonly kind: "held";
  readonly vip: string;
  readonly detail: string;
}

/** What routers hear of a VIP's load has changed. */
export interface LoadEntry {
  readonly kind: "load";
  readonly vip: string;
  readonly service: string;
  readonly load: number;
  readonly step: number;
  readonly prepend: number;
}

/** What the self-query through the VIP came to, after the change `cause` (0: a later attempt). `took` in milliseconds. */
export interface ProofEntry {
  readonly kind: "proof";
  readonly vip: string;
  readonly cause: number;
  readonly verdict: Exclude<Verdict, "unknown">;
  readonly detail: string;
  readonly took: number;
}

/** The peer's TCP has acknowledged the UPDATE `update`; `took` milliseconds. */
export interface AcknowledgedEntry {
  readonly kind: "acknowledged";
  readonly peer: string;
  readonly update: number;
  readonly cause: number | undefined;
  readonly took: number;
}

/** An alarm begins or ends. */
export interface AlarmEntry {
  readonly kind: "alarm";
  readonly alarm: AlarmCode;
  readonly subject: string;
  readonly ringing: boolean;
  readonly detail: string;
}

/** Something of the announcer's own that an operator should know. */
export interface NoteEntry {
  readonly kind: "note";
  readonly detail: string;
}

/** The file was read again. `detail`: what has changed, or why nothing has. */
export interface ReloadEntry {
  readonly kind: "reload";
  readonly accepted: boolean;
  readonly detail: readonly string[];
}

export type JournalFact =
  | HealthEntry
  | DecisionEntry
  | UpdateEntry
  | SessionEntry
  | OperatorEntry
  | HeldEntry
  | LoadEntry
  | ProofEntry
  | AcknowledgedEntry
  | AlarmEntry
  | NoteEntry
  | ReloadEntry;
export type JournalEntry = JournalFact & Stamp;

const KINDS: Readonly<Record<JournalFact["kind"], true>> = {
  health: true,
  decision: true,
  update: true,
  session: true,
  operator: true,
  held: true,
  load: true,
  proof: true,
  acknowledged: true,
  alarm: true,
  note: true,
  reload: true,
};

/** Whether a journal's entry, or a log line that repeats one, calls itself so. */
export function isJournalKind(kind: unknown): kind is JournalFact["kind"] {
  return typeof kind === "string" && Object.hasOwn(KINDS, kind);
}

/**
 * Every decision with its causes, one JSON line each. The file is written behind the decisions and in their order: a
 * route must not wait for a disk that hangs. What an earlier announcer wrote is remembered.
 */
export class Journal {
  readonly #clock: Clock;
  readonly #file: JournalFile | undefined;
  /** By VIP for decisions and health, by kind for the rest: a peer that flaps all night must not push out why a VIP fell. */
  readonly #remembered = new Map<string, JournalEntry[]>();
  readonly #listeners = new Set<(entry: JournalEntry) => void>();
  #nextId = 1;

  /** `path` undefined keeps the journal in memory only. A disk that refuses is reported once; decisions go on. */
  constructor(path: string | undefined, clock: Clock, onFailure: (failure: Error) => void) {
    this.#clock = clock;
    this.#file = path === undefined ? undefined : new JournalFile(path, onFailure);
    for (const entry of (this.#file?.readTail() ?? []).flatMap(entryOf)) {
      this.#remember(entry);
      this.#nextId = Math.max(this.#nextId, entry.id + 1);
    }
  }

  get entries(): readonly JournalEntry[] {
    return [...this.#remembered.values()].flat().toSorted((a, b) => a.id - b.id);
  }

  append(fact: JournalFact): JournalEntry {
    const entry: JournalEntry = { id: this.#nextId, at: formatWall(this.#clock.wallMicros()), ...fact };
    this.#nextId += 1;
    this.#remember(entry);
    this.#file?.append(`${JSON.stringify(entry)}\n`);
    for (const listener of this.#listeners) listener(entry);
    return entry;
  }

  onEntry(listener: (entry: JournalEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when everything appended so far is in the file, or has failed to be. */
  written(): Promise<void> {
    return this.#file?.written() ?? Promise.resolve();
  }

  #remember(entry: JournalEntry): void {
    const key = entry.kind === "decision" || entry.kind === "health" ? `${entry.kind} ${entry.vip}` : entry.kind;
    const entries = this.#remembered.get(key) ?? [];
    entries.push(entry);
    if (entries.length > MOST_REMEMBERED) entries.shift();
    this.#remembered.set(key, entries);
  }
}

/** An entry of a journal file; nothing when it is not one, as when that was killed in the middle of writing it. */
export function entryOf(line: string): JournalEntry[] {
  try {
    const entry = JSON.parse(line) as Partial<JournalEntry> | null;
    const { id, at, kind } = entry ?? {};
    const usable = Number.isSafeInteger(id) && typeof at === "string" && isJournalKind(kind);
    return usable ? [entry as JournalEntry] : [];
  } catch {
    return [];
  }
}
