import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";

import { PENANCE, ThreadPrecedence } from "../src/precedence.ts";

/** A system that grants what it is told to, and a thread that uses what it is told to. */
class Machine {
  readonly clock = new FakeClock();
  readonly asked: string[] = [];
  used = 0;
  readonly thread: ThreadPrecedence;

  constructor({ realtime = true, nice = true } = {}) {
    this.thread = new ThreadPrecedence({
      clock: this.clock,
      realtime: (on) => {
        this.asked.push(on ? "realtime" : "as the others");
        return realtime;
      },
      nice: () => nice,
      used: () => this.used,
    });
  }

  /** One second, of which the thread uses a share. */
  second(share: number): void {
    this.used += share * 1_000_000;
    this.clock.advance(seconds(1));
    this.thread.look();
  }
}

describe("the thread's precedence", () => {
  test.each([
    [{ realtime: true, nice: true }, "realtime"],
    [{ realtime: true, nice: false }, "realtime"],
    [{ realtime: false, nice: true }, "nice"],
    [{ realtime: false, nice: false }, "none"],
  ] as const)("where the system grants %o is %s", (granted, precedence) => {
    expect(new Machine(granted).thread.now).toBe(precedence);
  });

  test("is kept by a thread that is modest", () => {
    const machine = new Machine();
    for (let i = 0; i < 100; i += 1) machine.second(0.2);
    expect([machine.thread.now, machine.asked]).toEqual(["realtime", ["realtime"]]);
  });

  test("is given up by one that is flooded, and had again when the flood has been over for a minute", () => {
    const machine = new Machine();
    machine.second(0.9);
    expect([machine.thread.now, machine.asked.at(-1)]).toEqual(["nice", "as the others"]);
    machine.second(0.9);
    for (let time = 1_000; time < PENANCE; time += 1_000) machine.second(0.01);
    expect(machine.thread.now).toBe("nice");
    machine.second(0.01);
    expect(machine.thread.now).toBe("realtime");
    expect(machine.asked).toEqual(["realtime", "as the others", "realtime"]);
  });

  test("is not asked for again where it was never granted", () => {
    const machine = new Machine({ realtime: false });
    machine.second(0.9);
    for (let i = 0; i < 120; i += 1) machine.second(0);
    expect([machine.thread.now, machine.asked]).toEqual(["nice", ["realtime"]]);
  });

  test("counts what was used against the time that has passed, however long that was", () => {
    const machine = new Machine();
    machine.used += 300_000;
    machine.clock.advance(milliseconds(4_000)); // the look came late: 7.5 %
    machine.thread.look();
    expect(machine.thread.now).toBe("realtime");
  });
});
