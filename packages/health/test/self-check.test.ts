import { milliseconds, seconds, type Duration } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";
import { Health, PROBE_LIMIT, SelfCheck, type Probe, type ProbeResult } from "../src/index.ts";

/** A service under check, whose behaviour is changed while the clock runs. */
class Patient {
  readonly clock = new FakeClock();
  readonly health = new Health({ service: "demo", site: "s", instance: "i" }, this.clock);
  readonly limits: Duration[] = [];
  readonly renewals: number[] = [];
  served = 0;
  asked = 0;
  answer: Probe = async () => this.answered();
  readonly check = new SelfCheck({
    health: this.health,
    clock: this.clock,
    probe: (limit) => {
      this.asked += 1;
      this.limits.push(limit);
      return this.answer(limit);
    },
    progress: () => this.served,
    onRenewal: () => this.renewals.push(this.clock.now()),
  });

  answered(): ProbeResult {
    this.served += 1;
    return { kind: "answered" };
  }

  /** Nothing comes back within the limit, as a probe on a socket finds out. */
  readonly silent: Probe = (limit) => this.later(limit, { kind: "silent", detail: "no answer" });

  later(delay: Duration, result: ProbeResult): Promise<ProbeResult> {
    return new Promise((resolve) => void this.clock.after("probe", delay, () => resolve(result)));
  }

  get codes(): string[] {
    return this.health.report.reasons.map((reason) => `${reason.code}:${reason.class}`);
  }
}

describe("a service that answers", () => {
  test("is asked every 100 ms, and every answer renews the lease", async () => {
    const patient = new Patient();
    patient.check.start();
    await patient.clock.run(seconds(1));
    expect(patient.asked).toBe(10);
    expect(patient.renewals).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
    expect(patient.limits.every((limit) => limit === PROBE_LIMIT)).toBe(true);
    expect(patient.check).toMatchObject({ completed: 10, answered: 10 });
    expect(patient.codes).toEqual([]);
  });

  test("slowly: checks do not overlap, and one older than 300 ms renews nothing", async () => {
    const patient = new Patient();
    patient.answer = () => patient.later(milliseconds(260), { kind: "answered" });
    patient.check.start();
    await patient.clock.run(milliseconds(390));
    expect(patient.asked).toBe(1);
    expect(patient.renewals).toEqual([360]);
  });

  test("after a stall of the whole process: the late answer renews nothing", async () => {
    const patient = new Patient();
    patient.answer = () => patient.later(milliseconds(1), patient.answered());
    patient.check.start();
    patient.clock.advance(milliseconds(100));
    patient.clock.advance(milliseconds(400)); // nothing in between is run: the loop stood still
    await patient.clock.run(milliseconds(50));
    expect(patient.renewals).toEqual([]);
    await patient.clock.run(milliseconds(100));
    expect(patient.renewals).toHaveLength(1);
    expect(patient.codes).toEqual([]);
  });
});

describe("a service that does not answer", () => {
  test("and does nothing else is unresponsive after the second silent probe, and the lease is not renewed", async () => {
    const patient = new Patient();
    patient.answer = patient.silent;
    patient.check.start();
    await patient.clock.run(milliseconds(390));
    expect([patient.check.completed, patient.codes]).toEqual([1, []]);
    await patient.clock.run(milliseconds(300));
    expect(patient.codes).toEqual(["unresponsive:dead"]);
    expect(patient.renewals).toEqual([]);
  });

  test("once: a lost datagram is no death", async () => {
    const patient = new Patient();
    patient.answer = patient.silent;
    patient.check.start();
    await patient.clock.run(milliseconds(390));
    patient.answer = async () => patient.answered();
    await patient.clock.run(milliseconds(100));
    expect(patient.codes).toEqual([]);
    expect(patient.renewals).toEqual([400]);
  });

  test("but works is overloaded, which is load and not death, and its lease is renewed", async () => {
    const patient = new Patient();
    patient.answer = async (limit) => {
      patient.served += 1_000;
      return patient.silent(limit);
    };
    patient.check.start();
    await patient.clock.run(seconds(2));
    expect(patient.codes).toEqual(["overloaded:load"]);
    expect(patient.health.verdict).toBe("pass");
    const gaps = patient.renewals.map((at, i) => at - (patient.renewals[i - 1] ?? at));
    // One renewal may be missed, and the lease of 500 ms is kept.
    expect(Math.max(...gaps)).toBeLessThanOrEqual(200);
  });

  test("is given its whole time when it does nothing, and may answer in it", async () => {
    const patient = new Patient();
    patient.answer = () => patient.later(milliseconds(200), { kind: "answered" });
    patient.check.start();
    await patient.clock.run(milliseconds(390));
    expect([patient.renewals, patient.codes]).toEqual([[300], []]);
  });

  test("recovers with the first answer", async () => {
    const patient = new Patient();
    patient.answer = patient.silent;
    patient.check.start();
    await patient.clock.run(seconds(2));
    expect(patient.codes).toEqual(["unresponsive:dead"]);
    patient.answer = async () => patient.answered();
    await patient.clock.run(milliseconds(400));
    expect(patient.codes).toEqual([]);
    expect(patient.renewals.length).toBeGreaterThanOrEqual(1);
  });

  test("because the loop stood still: input that waited is read before silence is believed", async () => {
    const patient = new Patient();
    patient.answer = (limit) => {
      const request = { waiting: true };
      // The request lies in the socket until the loop turns again, after the deadline's timer has fired.
      setImmediate(() => {
        if (request.waiting) patient.served += 1;
      });
      return patient.silent(limit);
    };
    patient.check.start();
    // Two checks in a row begin and end within time that passes without a turn of the loop.
    for (let stall = 0; stall < 2; stall += 1) {
      patient.clock.advance(milliseconds(430));
      await patient.clock.run(milliseconds(40));
    }
    expect(patient.check).toMatchObject({ completed: 2, answered: 0 });
    expect(patient.codes).toEqual(["overloaded:load"]);
  });
});

describe("a probe that misbehaves", () => {
  test.each<[string, Probe]>([
    ["rejects", async () => Promise.reject(new Error("socket closed"))],
    [
      "throws",
      () => {
        throw new Error("socket closed");
      },
    ],
  ])("and %s counts as silent, with its words", async (_what, probe) => {
    const patient = new Patient();
    patient.answer = probe;
    patient.check.start();
    await patient.clock.run(seconds(1));
    expect(patient.codes).toEqual(["unresponsive:dead"]);
    expect(patient.health.report.reasons[0]?.detail).toBe("socket closed");
    expect(patient.renewals).toEqual([]);
  });

  test("and never settles counts as silent, holds up no later check, and is not started without end", async () => {
    const patient = new Patient();
    patient.answer = () => new Promise(() => {});
    patient.check.start();
    await patient.clock.run(seconds(10));
    expect(patient.codes).toEqual(["unresponsive:dead"]);
    expect(patient.asked).toBe(8);
    expect(patient.check.completed).toBeGreaterThan(20);
    expect(patient.renewals).toEqual([]);
  });

  test("and settles too late is not heard, but a later one is", async () => {
    const patient = new Patient();
    patient.answer = () => patient.later(seconds(3), { kind: "wrong", detail: "late" });
    patient.check.start();
    await patient.clock.run(seconds(2));
    expect(patient.codes).toEqual(["unresponsive:dead"]);
    patient.answer = async () => patient.answered();
    await patient.clock.run(seconds(4));
    expect(patient.codes).toEqual([]);
  });
});

test("a wrong answer is dead at once and forgiven by a right one", async () => {
  const patient = new Patient();
  patient.answer = async () => ({ kind: "wrong", detail: "id 7 for 8" });
  await patient.check.check();
  expect(patient.codes).toEqual(["wrong-answer:dead"]);
  expect(patient.check.answered).toBe(0);
  patient.answer = async () => patient.answered();
  await patient.check.check();
  expect(patient.codes).toEqual([]);
});

test("after stop nothing is asked, and a check under way comes to nothing", async () => {
  const patient = new Patient();
  patient.answer = patient.silent;
  patient.check.start();
  await patient.clock.run(milliseconds(650));
  patient.check.stop();
  await patient.clock.run(seconds(2));
  expect(patient.asked).toBe(2);
  expect(patient.codes).toEqual([]);
  expect(patient.clock.waiting).toEqual([]);
});

/** A service with workers, of which the kernel gives each probe to one: the test says to which. */
class Group {
  readonly clock = new FakeClock();
  readonly health = new Health({ service: "demo", site: "s", instance: "i" }, this.clock);
  readonly renewals: number[] = [];
  readonly served: number[];
  readonly deaf = new Set<number>();
  asked = 0;
  /** How long an answer takes. */
  delay = milliseconds(0);
  readonly check: SelfCheck;

  constructor(workers: number, deal: (probe: number) => number) {
    this.served = Array.from({ length: workers }, () => 0);
    this.check = new SelfCheck({
      health: this.health,
      clock: this.clock,
      probe: (limit) => this.#probe(deal(this.asked++), limit),
      progress: () => [...this.served],
      onRenewal: () => this.renewals.push(this.clock.now()),
    });
  }

  #probe(worker: number, limit: Duration): Promise<ProbeResult> {
    const deaf = this.deaf.has(worker);
    const result: ProbeResult = deaf ? { kind: "silent", detail: "no answer" } : { kind: "answered" };
    if (!deaf && this.delay < limit) this.served[worker] = (this.served[worker] ?? 0) + 1;
    const after = deaf ? limit : this.delay;
    return new Promise((resolve) => void this.clock.after("probe", after, () => resolve(result)));
  }

  get details(): string[] {
    return this.health.report.reasons.map((reason) => `${reason.code}:${reason.class} ${reason.detail}`);
  }
}

describe("a service with workers", () => {
  test("is asked until every worker has shown life, and no longer", async () => {
    const group = new Group(4, (probe) => [0, 0, 2, 1, 3][probe % 5] ?? 0);
    group.check.start();
    await group.clock.run(milliseconds(190));
    expect(group.asked).toBe(5);
    expect(group.renewals).toHaveLength(1);
  });

  test("is asked once while its clients show that every worker lives", async () => {
    const group = new Group(4, () => 0);
    group.clock.every("clients", milliseconds(5), () => {
      for (const i of group.served.keys()) group.served[i] = (group.served[i] ?? 0) + 1;
    });
    group.delay = milliseconds(10);
    group.check.start();
    await group.clock.run(milliseconds(990));
    expect(group.asked).toBe(group.check.completed);
  });

  test("passes although chance gives one worker no probe for a while", async () => {
    const group = new Group(2, () => 0);
    group.check.start();
    await group.clock.run(milliseconds(990));
    expect(group.asked).toBe(8 * group.check.completed);
    expect(group.details).toEqual([]);
    expect(group.renewals.length).toBeGreaterThanOrEqual(9);
  });

  test("fails for one deaf worker although the others answer, and says which", async () => {
    const group = new Group(2, (probe) => probe % 2);
    group.deaf.add(1);
    group.check.start();
    await group.clock.run(milliseconds(1_000));
    expect(group.details).toEqual(["unresponsive:dead of 2 workers these made no progress: 2"]);
    group.deaf.clear();
    await group.clock.run(milliseconds(600));
    expect(group.details).toEqual([]);
  });

  test("is not forgiven by answers of the others between two silences", async () => {
    const group = new Group(3, (probe) => (probe % 9 === 8 ? 2 : probe % 2));
    group.deaf.add(2);
    group.check.start();
    await group.clock.run(seconds(2));
    expect(group.details).toEqual(["unresponsive:dead of 3 workers these made no progress: 3"]);
  });

  test("whose workers all work and leave a probe unanswered is overloaded, and its lease is renewed", async () => {
    const group = new Group(2, () => 0);
    group.deaf.add(0);
    group.clock.every("flood", milliseconds(20), () => {
      for (const i of group.served.keys()) group.served[i] = (group.served[i] ?? 0) + 1_000;
    });
    group.check.start();
    await group.clock.run(seconds(3));
    expect(group.details).toEqual(["overloaded:load no answer within 150ms"]);
    const gaps = group.renewals.map((at, i) => at - (group.renewals[i - 1] ?? at));
    expect(group.renewals.length).toBeGreaterThanOrEqual(7);
    expect(Math.max(...gaps)).toBeLessThan(500);
  });

  test("that answers slowly is not asked so late that an answer could not come in time", async () => {
    const group = new Group(2, () => 0);
    group.delay = milliseconds(60);
    group.check.start();
    await group.clock.run(seconds(2));
    expect(group.details).toEqual([]);
    const gaps = group.renewals.map((at, i) => at - (group.renewals[i - 1] ?? at));
    expect(Math.max(...gaps)).toBeLessThan(500);
  });
});
