import { milliseconds, type Clock, type Duration, type Instant, type Timer } from "@stitch/clock";

/** The clock of a recording: it stands where the recording is. What is replayed reads it and sets no timers. */
export class RecordedTime implements Clock {
  #wall: number;

  /** `wall` in microseconds. */
  constructor(wall: number) {
    this.#wall = wall;
  }

  now(): Instant {
    return (this.#wall / 1_000) as Instant;
  }

  wallMicros(): number {
    return this.#wall;
  }

  /** Never backwards: a wall clock that was set back while it was recorded stands still until it has caught up. */
  moveTo(wall: number): void {
    this.#wall = Math.max(this.#wall, wall);
  }

  moveBy(time: Duration): void {
    this.#wall += milliseconds(time) * 1_000;
  }

  after(name: string): Timer {
    throw new Error(`a recording has no timers (${name})`);
  }

  every(name: string): Timer {
    throw new Error(`a recording has no timers (${name})`);
  }
}
