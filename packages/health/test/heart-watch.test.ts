import { later, milliseconds, seconds, type Duration, type Instant } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";
import { Health } from "../src/index.ts";
import { HeartWatch } from "../src/workers/heart-watch.ts";

/** A clock whose process may be stopped: time passes and no timer fires. */
class StoppableClock extends FakeClock {
  #lost = 0;

  override now(): Instant {
    return later(super.now(), milliseconds(this.#lost));
  }

  stopFor(time: Duration): void {
    this.#lost += time;
  }
}

/** Workers whose hearts beat every 50 ms unless they are hung, on a clock that the test moves. */
class Ward {
  readonly clock = new StoppableClock();
  readonly health = new Health({ service: "demo", site: "s", instance: "i" }, this.clock);
  readonly hung = new Set<number>();
  readonly signs: number[];
  readonly failures: string[] = [];
  readonly watch: HeartWatch;

  constructor(workers: number) {
    this.signs = Array.from({ length: workers }, () => 0);
    this.clock.every("beat", milliseconds(50), () => {
      for (const [i, sign] of this.signs.entries()) if (!this.hung.has(i)) this.signs[i] = sign + 1;
    });
    this.watch = new HeartWatch({
      clock: this.clock,
      health: this.health,
      signs: () => [...this.signs],
      onGivenUp: ({ message }) => this.failures.push(message),
    });
  }

  get details(): string[] {
    return this.health.report.reasons.map((reason) => `${reason.code}:${reason.class} ${reason.detail}`);
  }
}

describe("the watch over the workers' hearts", () => {
  test("is content as long as every heart beats", async () => {
    const ward = new Ward(2);
    await ward.clock.run(seconds(5));
    expect(ward.details).toEqual([]);
  });

  test("fails the verdict within half a second when one of two hangs, and takes it back when it goes on", async () => {
    const ward = new Ward(2);
    await ward.clock.run(seconds(1));
    ward.hung.add(1);
    await ward.clock.run(milliseconds(390));
    expect(ward.health.verdict).toBe("pass");
    await ward.clock.run(milliseconds(110));
    expect(ward.details).toEqual(["worker-hung:dead of 2 workers these hang: 2"]);
    expect(ward.health.verdict).toBe("fail");
    ward.hung.clear();
    await ward.clock.run(milliseconds(100));
    expect(ward.health.verdict).toBe("pass");
  });

  test("names all that hang, also when that is all there are", async () => {
    const ward = new Ward(3);
    for (const i of [0, 1, 2]) ward.hung.add(i);
    await ward.clock.run(seconds(1));
    expect(ward.details).toEqual(["worker-hung:dead of 3 workers these hang: 1, 2, 3"]);
  });

  test("gives a worker up after ten seconds, once", async () => {
    const ward = new Ward(2);
    ward.hung.add(1);
    await ward.clock.run(seconds(9));
    expect(ward.failures).toEqual([]);
    await ward.clock.run(seconds(3));
    expect(ward.failures).toEqual(["worker 2 of 2 hangs for good"]);
  });

  test("takes a worker that serves for alive although its timers come late: a flood is no hang", async () => {
    const ward = new Ward(1);
    ward.hung.add(0);
    ward.clock.every("served", milliseconds(300), () => (ward.signs[0] = (ward.signs[0] ?? 0) + 1_000));
    await ward.clock.run(seconds(3));
    expect(ward.details).toEqual([]);
  });

  test("says nothing when the whole process was stopped, however long and often", async () => {
    const ward = new Ward(2);
    await ward.clock.run(seconds(1));
    for (let stop = 0; stop < 20; stop += 1) {
      ward.clock.stopFor(seconds(60)); // then this thread looks first, and the others beat later
      ward.hung.add(0).add(1);
      await ward.clock.run(milliseconds(60));
      ward.hung.clear();
      await ward.clock.run(milliseconds(60));
    }
    expect(ward.details).toEqual([]);
  });

  test("does not look once it is stopped", async () => {
    const ward = new Ward(1);
    ward.watch.stop();
    ward.hung.add(0);
    await ward.clock.run(seconds(2));
    expect(ward.details).toEqual([]);
  });
});
