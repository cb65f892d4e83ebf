import { type Duration, type Instant, milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { expect, test } from "vitest";

import { LAG_PROBE, LagMeter } from "../src/lag-meter.ts";

/** A clock whose `now` can run ahead of its timers, as it does for a thread that was not let on. */
class LateClock extends FakeClock {
  late: Duration = milliseconds(0);

  override now(): Instant {
    return (super.now() + this.late) as Instant;
  }
}

test("the worst delay since the last question is told, once", () => {
  const clock = new LateClock();
  const meter = new LagMeter(clock);
  clock.advance(seconds(1));
  expect(meter.take()).toBe(0);
  clock.late = milliseconds(40);
  clock.advance(LAG_PROBE);
  clock.advance(seconds(1));
  expect(meter.take()).toBe(40);
  expect(meter.take()).toBe(0);
});

test("a stall that is not over counts already", () => {
  const clock = new LateClock();
  const meter = new LagMeter(clock);
  clock.late = seconds(2);
  expect(meter.take()).toBe(2_000 - LAG_PROBE);
  meter.stop();
  expect(clock.waiting).toEqual([]);
});
