import { elapsed, milliseconds, seconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";
import type { Journal, JournalEntry, UpdateEntry } from "../journal.ts";
import type { Acknowledged } from "./connections.ts";

/** How often the kernel is asked while an UPDATE waits: a round trip within a site is shorter still. */
const LOOK: Duration = milliseconds(10);
/** An UPDATE that has not been acknowledged by then is late: TCP has sent it again several times. */
export const LATE: Duration = seconds(5);
/** UPDATEs that are watched at once; a peer that acknowledges nothing while a service flaps must not fill memory. */
const MOST_WAITING = 256;

interface Waiting {
  readonly update: JournalEntry & UpdateEntry;
  readonly since: Instant;
}

/** Follows each UPDATE until the peer's TCP has it. From then on it is the router's to act upon. */
export class Receipts {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #acknowledged: Acknowledged;
  #waiting: Waiting[] = [];
  #timer: Timer | undefined;

  constructor(journal: Journal, clock: Clock, acknowledged: Acknowledged) {
    this.#journal = journal;
    this.#clock = clock;
    this.#acknowledged = acknowledged;
  }

  sent(update: JournalEntry & UpdateEntry): void {
    if (this.#acknowledged(update.peer) === undefined || this.#waiting.length >= MOST_WAITING) return;
    this.#waiting.push({ update, since: this.#clock.now() });
    this.#timer ??= this.#clock.every("receipts", LOOK, () => this.#look());
  }

  /** Peers that have an UPDATE of ours, unacknowledged for longer than LATE. */
  get late(): readonly string[] {
    const now = this.#clock.now();
    const late = this.#waiting.filter(({ since }) => elapsed(since, now) >= LATE);
    return [...new Set(late.map(({ update }) => update.peer))];
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting = [];
  }

  #look(): void {
    const now = this.#clock.now();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) {
      const { peer, id, cause } = each.update;
      const acknowledged = this.#acknowledged(peer);
      if (acknowledged === false) this.#waiting.push(each);
      if (acknowledged !== true) continue; // without a connection there is nothing to wait for
      const took = Math.round(elapsed(each.since, now));
      this.#journal.append({ kind: "acknowledged", peer, update: id, cause, took });
    }
    if (this.#waiting.length === 0) this.stop();
  }
}
