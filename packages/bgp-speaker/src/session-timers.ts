import { type Clock, type Duration, milliseconds, seconds, type Timer } from "@stitch/clock";

import { Backoff, jittered } from "./backoff.ts";
import type { FsmEvent, Pace, SessionTimer } from "./fsm.ts";
import { keepaliveInterval } from "./negotiate.ts";

/** A SYN without an answer: wrong TCP-MD5 key, a filter, a dead host. The kernel would try for two minutes. */
export const CONNECT_TIMEOUT: Duration = seconds(5);
/** RFC 4271 section 8.2.2 suggests four minutes; a peer that has not sent its OPEN by now is not going to. */
export const OPEN_WAIT: Duration = seconds(10);
/**
 * Timers run before sockets are read. When our own process was late, what proves the peer alive lies unread; so a
 * timer that would end the session waits this much longer, once, while the input is read.
 */
export const STALL_GRACE: Duration = milliseconds(50);

/** The timers of the state machine, at most one of each name; the names are what diagnostics and tests show. */
export class SessionTimers {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #handle: (event: FsmEvent) => void;
  readonly #timers = new Map<SessionTimer, Timer>();
  readonly #backoff: Backoff;

  constructor(clock: Clock, random: () => number, handle: (event: FsmEvent) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#handle = handle;
    this.#backoff = new Backoff(random);
  }

  /** Starts the timer, or starts it over. */
  arm(timer: Exclude<SessionTimer, "retry">, holdTime: Duration): void {
    switch (timer) {
      case "connect-timeout":
        return this.#start(timer, CONNECT_TIMEOUT, () => this.#handle({ type: "connect-timeout" }));
      case "open-wait":
        return this.#startForgiving(timer, OPEN_WAIT, { type: "open-wait-expired" });
      case "hold":
        return this.#startForgiving(timer, holdTime, { type: "hold-expired" });
      case "keepalive":
        return this.#start(timer, jittered(keepaliveInterval(holdTime), this.#random), () =>
          this.#handle({ type: "keepalive-due" }),
        );
    }
  }

  armRetry(pace: Pace): void {
    this.#start("retry", this.#backoff.next(pace), () => this.#handle({ type: "retry-due" }));
  }

  /** The last session was a good one: the next failure is the first again. */
  forgiveFailures(): void {
    this.#backoff.reset();
  }

  disarm(timer: SessionTimer): void {
    this.#timers.get(timer)?.cancel();
    this.#timers.delete(timer);
  }

  disarmAll(): void {
    for (const timer of this.#timers.keys()) this.disarm(timer);
  }

  #startForgiving(name: SessionTimer, delay: Duration, event: FsmEvent): void {
    this.#start(name, delay, () => this.#start(name, STALL_GRACE, () => this.#handle(event)));
  }

  #start(name: SessionTimer, delay: Duration, fire: () => void): void {
    this.disarm(name);
    const timer = this.#clock.after(name, delay, () => {
      this.#timers.delete(name);
      fire();
    });
    this.#timers.set(name, timer);
  }
}
