import { seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Health, type HealthReport, type ReasonClass, type Verdict } from "../src/index.ts";

const IDENTITY = { service: "demo", site: "nyc", instance: "nyc-1" };

describe("the verdict", () => {
  test.each<[readonly ReasonClass[], Verdict]>([
    [[], "pass"],
    [["load"], "pass"],
    [["dependency"], "degraded"],
    [["dependency", "load"], "degraded"],
    [["dead"], "fail"],
    [["load", "dead"], "fail"],
    [["dependency", "dead"], "fail"],
    [["dead", "dependency", "load"], "fail"],
  ])("of reasons %j is %s", (classes, verdict) => {
    const health = new Health(IDENTITY, new FakeClock());
    for (const [i, reasonClass] of classes.entries()) health.raise(`reason-${i}`, reasonClass, "");
    expect(health.verdict).toBe(verdict);
    for (const i of classes.keys()) health.clear(`reason-${i}`);
    expect(health.verdict).toBe("pass");
  });

  test("does not depend on the phase", () => {
    const health = new Health(IDENTITY, new FakeClock());
    expect(health.report).toMatchObject({ phase: "starting", verdict: "pass" });
    health.enter("draining");
    expect(health.report).toMatchObject({ phase: "draining", verdict: "pass" });
  });
});

describe("reasons", () => {
  test("keep the time at which they began while their wording changes", () => {
    const clock = new FakeClock(Date.UTC(2026, 10, 22) * 1_000);
    const health = new Health(IDENTITY, clock);
    health.raise("upstreams-unreachable", "dependency", "10.0.0.2");
    clock.advance(seconds(5));
    health.raise("upstreams-unreachable", "dependency", "10.0.0.2, 10.0.0.3");
    expect(health.report).toEqual({
      ...IDENTITY,
      phase: "starting",
      verdict: "degraded",
      load: 0,
      reasons: [
        {
          code: "upstreams-unreachable",
          class: "dependency",
          since: "2026-11-22T00:00:00.000Z",
          detail: "10.0.0.2, 10.0.0.3",
        },
      ],
    });
  });

  test("long details are cut", () => {
    const health = new Health(IDENTITY, new FakeClock());
    health.raise("wrong-answer", "dead", "x".repeat(100_000));
    expect(health.report.reasons[0]?.detail).toHaveLength(256);
  });
});

function watched(): { health: Health; reports: HealthReport[] } {
  const health = new Health(IDENTITY, new FakeClock());
  const reports: HealthReport[] = [];
  health.onChange((report) => reports.push(report));
  return { health, reports };
}

describe("changes", () => {
  test("are told once each, and what is no change is not", () => {
    const { health, reports } = watched();
    health.raise("a", "load", "x");
    health.raise("a", "load", "x");
    health.clear("b");
    health.load = 0.5;
    health.enter("serving");
    health.enter("serving");
    health.clear("a");
    expect(reports.map(({ phase, reasons }) => [phase, reasons.length])).toEqual([
      ["starting", 1],
      ["serving", 1],
      ["serving", 0],
    ]);
  });

  test("phases only go forward", () => {
    const { health, reports } = watched();
    health.enter("draining");
    health.enter("serving");
    expect(reports.map((report) => report.phase)).toEqual(["draining"]);
  });

  test("every listener's last report is the latest, even when a listener changes something itself", () => {
    const health = new Health(IDENTITY, new FakeClock());
    health.onChange(() => health.raise("second", "dead", ""));
    let last: HealthReport | undefined;
    health.onChange((report) => {
      last = report;
    });
    health.raise("first", "load", "");
    expect(last).toEqual(health.report);
    expect(last?.verdict).toBe("fail");
  });

  test("a listener that was taken away hears no more", () => {
    const health = new Health(IDENTITY, new FakeClock());
    let calls = 0;
    const stop = health.onChange(() => (calls += 1));
    health.raise("a", "load", "");
    stop();
    health.clear("a");
    expect(calls).toBe(1);
  });
});

test("load is always a number from 0 to 1", () => {
  const health = new Health(IDENTITY, new FakeClock());
  fc.assert(
    fc.property(fc.double(), (load) => {
      health.load = load;
      expect(health.load).toBeGreaterThanOrEqual(0);
      expect(health.load).toBeLessThanOrEqual(1);
    }),
  );
});
