import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { days, milliseconds, seconds, SystemClock, type Duration } from "../src/index.ts";

describe("SystemClock", () => {
  test("now never goes back, and wall time is the host's in whole microseconds", () => {
    const clock = new SystemClock();
    const first = clock.now();
    const before = Date.now() * 1_000;
    const wall = clock.wallMicros();
    const after = Date.now() * 1_000;
    expect(clock.now()).toBeGreaterThanOrEqual(first);
    expect(Number.isInteger(wall)).toBe(true);
    expect(wall).toBeGreaterThanOrEqual(before);
    expect(wall).toBeLessThan(after + 1_000);
  });
});

describe("timers of SystemClock", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("after fires once, every again and again, cancelled ones never", () => {
    const clock = new SystemClock();
    const fired: string[] = [];
    clock.after("once", milliseconds(50), () => fired.push("once"));
    const ticking = clock.every("tick", milliseconds(20), () => fired.push("tick"));
    clock.after("never", milliseconds(10), () => fired.push("never")).cancel();
    vi.advanceTimersByTime(70);
    ticking.cancel();
    vi.advanceTimersByTime(1_000);
    expect(fired).toEqual(["tick", "tick", "once", "tick"]);
  });

  test("an interval can be cancelled from its own callback", () => {
    const clock = new SystemClock();
    let fired = 0;
    const timer = clock.every("tick", milliseconds(20), () => {
      fired += 1;
      timer.cancel();
    });
    vi.advanceTimersByTime(200);
    expect(fired).toBe(1);
  });

  test("delays beyond 24.8 days, the longest of setTimeout, are waited for in full", () => {
    const clock = new SystemClock();
    const fired: string[] = [];
    clock.after("month", days(30), () => fired.push("month"));
    clock.every("monthly", days(30), () => fired.push("monthly"));
    const cancelled = clock.after("never", days(60), () => fired.push("never"));
    vi.advanceTimersByTime(days(30) - 1);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1);
    cancelled.cancel();
    vi.advanceTimersByTime(days(31));
    expect(fired.toSorted()).toEqual(["month", "monthly", "monthly"]);
  });

  test("a delay that is not a number is refused instead of firing at once", () => {
    const clock = new SystemClock();
    expect(() => clock.every("poll", Number.NaN as Duration, () => {})).toThrow('timer "poll" was given');
    expect(() => clock.after("back-off", seconds(Number.NaN), () => {})).toThrow('timer "back-off" was given');
  });
});
