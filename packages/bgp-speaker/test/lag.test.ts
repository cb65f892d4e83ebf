import { type Clock, type Duration, type Instant, milliseconds, seconds, type Timer } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";

import { LagMeter } from "../src/lag-meter.ts";
import { Bench } from "./wire-peer.ts";

/** A clock whose process was away: what was due meanwhile runs late. */
class StallingClock implements Clock {
  readonly inner = new FakeClock();
  #away = 0;

  now(): Instant {
    return (this.inner.now() + this.#away) as Instant;
  }

  wallMicros(): number {
    return this.inner.wallMicros();
  }

  after(name: string, delay: Duration, fire: () => void): Timer {
    return this.inner.after(name, delay, fire);
  }

  every(name: string, interval: Duration, fire: () => void): Timer {
    return this.inner.every(name, interval, fire);
  }

  stall(by: Duration): void {
    this.#away += by;
  }
}

function metered(): { clock: StallingClock; meter: LagMeter; late: number[] } {
  const clock = new StallingClock();
  const late: number[] = [];
  const meter = new LagMeter(clock, (lag) => late.push(lag));
  meter.start(seconds(9));
  return { clock, meter, late };
}

describe("the lag of the process", () => {
  test("is nothing when timers run on time", () => {
    const { clock, meter, late } = metered();
    clock.inner.advance(seconds(60));
    expect(meter.lag).toEqual({ last: 0, worst: 0 });
    expect(late).toEqual([]);
  });

  test.each([
    [1_400, []],
    [1_600, [1_600]],
  ])("of %s ms at a hold time of 9 s: warnings %o", (stall, warnings) => {
    const { clock, meter, late } = metered();
    clock.stall(milliseconds(stall));
    clock.inner.advance(milliseconds(300));
    expect(late).toEqual(warnings);
    expect(meter.lag).toEqual({ last: stall, worst: stall });
    clock.inner.advance(milliseconds(300));
    expect(meter.lag).toEqual({ last: 0, worst: stall });
  });

  test("is measured from the peer's OPEN to the end of the session, and is in the status", () => {
    const bench = new Bench();
    bench.toOpenSent();
    expect(bench.clock.waiting).not.toContain("lag");
    bench.router.sayOpen();
    bench.settle();
    expect(bench.clock.waiting).toContain("lag");
    expect(bench.session.status.lag).toEqual({ last: 0, worst: 0 });
    bench.router.close();
    bench.settle();
    expect(bench.clock.waiting).toEqual(["retry"]);
  });

  test("is an event of the session when it is more than a sixth of the hold time", () => {
    const clock = new StallingClock();
    const bench = new Bench({}, { clock });
    // The bench's network runs on a clock of its own; only the session's is away.
    const both = (by: Duration): void => {
      for (let left: number = by; left > 0; left -= 1) {
        clock.inner.advance(milliseconds(1));
        bench.clock.advance(milliseconds(1));
      }
    };
    bench.session.start();
    both(milliseconds(10));
    bench.router.sayOpen();
    bench.router.sayKeepalive();
    both(milliseconds(10));
    expect(bench.session.state).toBe("Established");
    clock.stall(seconds(2));
    both(milliseconds(300));
    expect(bench.of("late")).toEqual([{ kind: "late", lag: 2_000, holdTime: 9_000 }]);
    expect(bench.session.status.lag.worst).toBe(2_000);
  });
});
