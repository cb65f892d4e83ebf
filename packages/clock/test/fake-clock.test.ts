import { describe, expect, test } from "vitest";
import { milliseconds, seconds, type Duration } from "../src/index.ts";
import { FakeClock } from "../src/fake-clock.ts";

describe("FakeClock", () => {
  test("fires in order of due time, then of creation, each at its own instant", () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    const note = (name: string) => (): void => void fired.push(`${name}@${clock.now()}`);
    clock.after("late", milliseconds(30), note("late"));
    clock.after("first", milliseconds(10), note("first"));
    clock.after("second", milliseconds(10), note("second"));
    clock.every("tick", milliseconds(20), note("tick"));
    clock.advance(milliseconds(40));
    expect(fired).toEqual(["first@10", "second@10", "tick@20", "late@30", "tick@40"]);
    expect(clock.now()).toBe(40);
  });

  test("a cancelled timer never fires, not even when cancelled by one due at the same instant", () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.after("a", milliseconds(5), () => victim.cancel());
    const victim = clock.after("b", milliseconds(5), () => fired.push("b"));
    const repeating = clock.every("c", milliseconds(4), () => {
      fired.push("c");
      repeating.cancel();
    });
    clock.advance(seconds(1));
    expect(fired).toEqual(["c"]);
    expect(clock.waiting).toEqual([]);
  });

  test("timers armed while time moves fire within the same advance when due", () => {
    const clock = new FakeClock();
    const fired: number[] = [];
    clock.after("outer", milliseconds(10), () => {
      clock.after("inner", milliseconds(10), () => fired.push(clock.now()));
      clock.after("past", milliseconds(-5), () => fired.push(clock.now()));
    });
    clock.advance(milliseconds(30));
    expect(fired).toEqual([10, 20]);
  });

  test("says which timers wait, in the order they would fire", () => {
    const clock = new FakeClock();
    clock.after("hold", seconds(9), () => {});
    clock.every("keepalive", seconds(3), () => {});
    expect(clock.waiting).toEqual(["keepalive", "hold"]);
  });

  test("the wall clock follows monotonic time and can be stepped without it", () => {
    const clock = new FakeClock(1_000_000);
    clock.advance(milliseconds(1.5));
    expect(clock.wallMicros()).toBe(1_001_500);
    clock.stepWall(-500_000);
    expect(clock.wallMicros()).toBe(501_500);
    expect(clock.now()).toBe(1.5);
  });

  test("a timer that never lets time pass ends with a sentence", () => {
    const clock = new FakeClock();
    clock.every("spin", milliseconds(0), () => {});
    expect(() => clock.advance(milliseconds(1))).toThrow('timer "spin" never lets time pass');
  });

  test("time does not move backwards, and a delay that is not a number is refused", () => {
    const clock = new FakeClock();
    expect(() => clock.advance(milliseconds(-1))).toThrow("time only moves forward");
    expect(() => clock.after("hold", Number.NaN as Duration, () => {})).toThrow('timer "hold" was given');
  });

  test("run lets promise callbacks happen between its steps", async () => {
    const clock = new FakeClock();
    const seen: number[] = [];
    const wait = (delay: Duration): Promise<void> => new Promise((resolve) => void clock.after("wait", delay, resolve));
    const task = (async () => {
      for (let i = 0; i < 3; i += 1) {
        await wait(milliseconds(20));
        seen.push(clock.now());
      }
    })();
    await clock.run(milliseconds(100));
    await task;
    expect(seen).toEqual([20, 40, 60]);
    await expect(clock.run(milliseconds(1), milliseconds(0))).rejects.toThrow("a step of no length");
  });
});
