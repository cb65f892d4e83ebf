import { formatWall, type Clock } from "@stitch/clock";
import type { Journal } from "../journal.ts";
import type { AlarmCode } from "./reasons.ts";

export interface Alarm {
  readonly code: AlarmCode;
  /** The VIP or the peer that it is about; both, where it is about one at the other. */
  readonly subject: string;
  /** RFC 3339, UTC. */
  readonly since: string;
  readonly detail: string;
}

/** The alarms that ring now. Beginning and end of each are journalled; it never changes a route. */
export class Alarms {
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #ringing = new Map<string, Alarm>();

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock;
    this.#journal = journal;
  }

  get ringing(): readonly Alarm[] {
    return [...this.#ringing.values()];
  }

  raise(code: AlarmCode, subject: string, detail: string): void {
    const key = keyOf(code, subject);
    if (this.#ringing.has(key)) return;
    this.#ringing.set(key, { code, subject, since: formatWall(this.#clock.wallMicros()), detail });
    this.#journal.append({ kind: "alarm", alarm: code, subject, ringing: true, detail });
  }

  clear(code: AlarmCode, subject: string): void {
    if (!this.#ringing.delete(keyOf(code, subject))) return;
    this.#journal.append({ kind: "alarm", alarm: code, subject, ringing: false, detail: "" });
  }
}

function keyOf(code: AlarmCode, subject: string): string {
  return `${code} ${subject}`;
}
