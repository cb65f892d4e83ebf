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
    patient.answer = () => patient.later(milliseconds(260), patient.answered());
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
    expect(patient.renewals.length).toBeGreaterThanOrEqual(6);
    expect(Math.max(...gaps)).toBeLessThan(500);
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
