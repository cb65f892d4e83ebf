import type { Clock, Instant, Timer } from "./clock.ts";
import { usable, type Duration } from "./duration.ts";

interface Pending {
  readonly name: string;
  readonly fire: () => void;
  readonly order: number;
  readonly interval: number | undefined;
  due: number;
}

/** A runaway test (a timer of zero that re-arms itself) ends here with a sentence instead of hanging. */
const MOST_FIRINGS_PER_ADVANCE = 100_000;

/** A clock that moves only when told. Timers fire in order of due time, then of creation. */
export class FakeClock implements Clock {
  #now = 0;
  #wall: number;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(wallMicros: number = Date.UTC(2026, 0, 1) * 1_000) {
    this.#wall = wallMicros;
  }

  now(): Instant {
    return this.#now as Instant;
  }

  wallMicros(): number {
    return Math.floor(this.#wall + this.#now * 1_000);
  }

  after(name: string, delay: Duration, fire: () => void): Timer {
    return this.#add(name, delay, undefined, fire);
  }

  every(name: string, interval: Duration, fire: () => void): Timer {
    return this.#add(name, interval, interval, fire);
  }

  /** Moves time forward, firing what falls due on the way, each at its own instant. */
  advance(by: Duration): void {
    if (!(by >= 0)) throw new RangeError("time only moves forward");
    const until = this.#now + by;
    let firings = 0;
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      firings += 1;
      if (firings > MOST_FIRINGS_PER_ADVANCE) throw new Error(`timer "${next.name}" never lets time pass`);
      this.#now = Math.max(this.#now, next.due);
      if (next.interval === undefined) this.#pending.delete(next);
      else next.due += next.interval;
      next.fire();
    }
    this.#now = until;
  }

  /** Advances in small steps and lets promise callbacks run between them. */
  async run(by: Duration, step: Duration = 10 as Duration): Promise<void> {
    if (!(step > 0)) throw new RangeError("a step of no length never ends");
    for (let left: number = by; left > 0; left -= step) {
      this.advance(Math.min(step, left) as Duration);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Steps the wall clock without moving monotonic time, as a time daemon might. */
  stepWall(byMicros: number): void {
    this.#wall += byMicros;
  }

  /** Names of the timers that are waiting, in the order they would fire. */
  get waiting(): string[] {
    return [...this.#pending].toSorted(byDue).map((timer) => timer.name);
  }

  #add(name: string, delay: Duration, interval: number | undefined, fire: () => void): Timer {
    const pending: Pending = {
      name,
      fire,
      interval,
      order: this.#order++,
      due: this.#now + Math.max(0, usable(name, delay)),
    };
    this.#pending.add(pending);
    return { name, cancel: () => void this.#pending.delete(pending) };
  }

  #next(until: number): Pending | undefined {
    let first: Pending | undefined;
    for (const timer of this.#pending) {
      if (timer.due <= until && (first === undefined || byDue(timer, first) < 0)) first = timer;
    }
    return first;
  }
}

function byDue(a: Pending, b: Pending): number {
  return a.due - b.due || a.order - b.order;
}
