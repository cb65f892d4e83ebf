import { milliseconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";

/** What has a deadline, one at a time. */
export abstract class Dated {
  /** These belong to the Deadlines. */
  due = 0;
  previous: Dated | undefined;
  next: Dated | undefined;
}

/** Both ends of those with the same time to wait: whoever comes later is due later. */
class Line extends Dated {
  override previous: Dated = this;
  override next: Dated = this;

  get first(): Dated | undefined {
    return this.next === this ? undefined : this.next;
  }

  append(item: Dated): void {
    item.previous = this.previous;
    item.next = this;
    this.previous.next = item;
    this.previous = item;
  }
}

/**
 * Deadlines of what comes and goes thousands of times a second and is hardly ever overdue. A timer for each would be made, put
 * in order and taken out again; this has one for all of them, which is let be when what it was set for has gone.
 *
 * Normal: a question waits for 600 ms at most, and its answer is there within one. The timer fires 600 ms after it was set, finds
 * that nobody is overdue, and is set for the question that has waited longest. Hard: upstreams are silent and everybody is
 * overdue; each is told at its own time.
 */
export class Deadlines<T extends Dated> {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #overdue: (item: T) => void;
  /** By the time to wait, of which whoever asks has few. */
  readonly #lines = new Map<Duration, Line>();
  #timer: Timer | undefined;
  /** When it fires. */
  #set = Infinity;

  constructor(clock: Clock, name: string, overdue: (item: T) => void) {
    this.#clock = clock;
    this.#name = name;
    this.#overdue = overdue;
  }

  /** `item`, which has none, is overdue after `wait`, which is more than nothing. */
  begin(item: T, wait: Duration): void {
    item.due = this.#clock.now() + wait;
    this.#lineOf(wait).append(item);
    if (item.due < this.#set) this.#wake(item.due, wait);
  }

  /** It has none any more, if it had one. */
  end(item: T): void {
    leave(item);
  }

  #lineOf(wait: Duration): Line {
    let line = this.#lines.get(wait);
    if (line === undefined) this.#lines.set(wait, (line = new Line()));
    return line;
  }

  #wake(at: number, wait: Duration): void {
    this.#timer?.cancel();
    this.#set = at;
    this.#timer = this.#clock.after(this.#name, wait, () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    this.#set = Infinity;
    const now = this.#clock.now();
    for (const line of this.#lines.values()) this.#tell(line, now);
    let next = Infinity;
    for (const { first } of this.#lines.values()) next = Math.min(next, first?.due ?? Infinity);
    if (next < this.#set) this.#wake(next, milliseconds(next - this.#clock.now())); // telling has taken its time
  }

  #tell(line: Line, now: Instant): void {
    for (let { first } = line; first !== undefined && first.due <= now; { first } = line) {
      leave(first);
      this.#overdue(first as T);
    }
  }
}

function leave(item: Dated): void {
  const { previous, next } = item;
  if (previous === undefined || next === undefined) return;
  previous.next = next;
  next.previous = previous;
  item.previous = undefined;
  item.next = undefined;
}
