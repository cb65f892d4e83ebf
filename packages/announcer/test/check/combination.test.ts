import { beforeEach, describe, expect, test } from "vitest";
import { Combination, type Rule } from "../../src/check/combination.ts";
import type { CheckObserver, Judgement, RouteCheck } from "../../src/check/observer.ts";

let parts: CheckObserver[];
let heard: Judgement[];
let stops: string[];

function observer(): CheckObserver {
  return {
    judged: (judgement) => void heard.push(judgement),
    heardOf: (said) => void stops.push(said?.phase ?? "lost"),
    unsettled: false,
  } as Partial<CheckObserver> as CheckObserver;
}

function openPart(each: CheckObserver): RouteCheck {
  parts.push(each);
  return { start: () => undefined, release: () => undefined, stop: () => undefined };
}

function combine(rule: Rule, into = observer()): Combination {
  return new Combination({ rule, parts: [openPart, openPart], observer: into, fall: 3 });
}

function poll(part: number, verdict: "pass" | "degraded" | "fail", count = 1): void {
  for (let i = 0; i < count; i += 1) parts[part]?.polled({ verdict, detail: `part ${part}` });
}

function report(part: number, phase: string, verdict: string): void {
  parts[part]?.report({ service: "dns", site: "", instance: "", phase, verdict, load: 0, reasons: [] } as never);
}

const last = (): unknown[] => {
  const { verdict, reason, good } = heard.at(-1) ?? {};
  return [verdict, verdict === "fail" ? reason : good];
};

beforeEach(() => {
  parts = [];
  heard = [];
  stops = [];
});

describe("all", () => {
  beforeEach(() => void combine("all"));

  test("passes only when every part has been heard, and a good check takes a round", () => {
    poll(0, "pass", 5);
    expect(heard).toEqual([]);
    poll(1, "pass");
    expect(last()).toEqual(["pass", true]);
    poll(1, "pass", 4);
    expect(last()).toEqual(["pass", false]);
    poll(0, "pass");
    expect(last()).toEqual(["pass", true]);
  });

  test("says nothing while a part is yet to be heard, but that a heard one fails is final", () => {
    poll(0, "degraded");
    expect(heard).toEqual([]);
    poll(1, "fail");
    expect(last()).toEqual(["fail", "check-failed"]);
  });

  test("fails with the part that is not there, unheard others or not", () => {
    parts[0]?.lost("lease-refused", "ECONNREFUSED");
    expect(last()).toEqual(["fail", "lease-refused"]);
  });

  test("does not wait for the verdict of a service that renews and never says one", () => {
    poll(1, "pass");
    expect(heard).toEqual([]);
    parts[0]?.renewed(0);
    expect(last()).toEqual(["fail", "check-failed"]);
  });

  test("counts each part's misses by themselves: another's passes forgive none", () => {
    poll(0, "pass");
    poll(1, "pass");
    for (let i = 0; i < 2; i += 1) {
      poll(0, "fail");
      poll(1, "pass");
    }
    expect(last()).toEqual(["pass", false]);
    expect(parts[0]?.unsettled).toBe(true);
    expect(parts[1]?.unsettled).toBe(false);
    poll(0, "fail");
    expect(last()).toEqual(["fail", "fallen"]);
    poll(1, "pass");
    expect(last()).toEqual(["fail", "fallen"]);
    poll(0, "pass");
    expect(last()).toEqual(["pass", true]);
  });

  test("is as degraded as its worst part", () => {
    poll(0, "degraded");
    poll(1, "pass");
    expect(last()).toEqual(["degraded", true]);
  });

  test("fails at once with a lost lease, and says why", () => {
    report(0, "serving", "pass");
    parts[0]?.renewed(0);
    poll(1, "pass");
    expect(last()).toEqual(["pass", true]);
    parts[0]?.lost("lease-expired", "no renewal");
    expect(last()).toEqual(["fail", "lease-expired"]);
    expect(stops).toEqual(["serving", "lost"]);
  });

  test("does not take the renewals of a service that is starting or dead for good checks", () => {
    poll(1, "pass");
    report(0, "starting", "pass");
    parts[0]?.renewed(0);
    expect(last()).toEqual(["fail", "verdict-fail"]);
    report(0, "serving", "fail");
    parts[0]?.renewed(0);
    expect(last()).toEqual(["fail", "verdict-fail"]);
  });
});

describe("any", () => {
  beforeEach(() => void combine("any"));

  test("is as good as its best part, and fails when all have", () => {
    poll(0, "fail", 3);
    expect(heard).toEqual([]);
    poll(1, "degraded");
    expect(last()).toEqual(["degraded", true]);
    poll(0, "pass");
    expect(last()).toEqual(["pass", true]);
    poll(0, "fail", 3);
    expect(last()).toEqual(["degraded", false]);
    poll(1, "fail", 3);
    expect(last()).toEqual(["fail", "fallen"]);
  });

  test("passes with the first part that does, and fails only when none is left to be heard", () => {
    poll(1, "fail");
    expect(heard).toEqual([]);
    parts[0]?.lost("lease-refused", "ECONNREFUSED");
    expect(last()[0]).toBe("fail");
    poll(1, "pass");
    expect(last()).toEqual(["pass", true]);
    combine("any");
    heard.length = 0;
    poll(2, "pass");
    expect(last()).toEqual(["pass", true]);
  });

  test("reports the highest load", () => {
    parts[0]?.polled({ verdict: "pass", detail: "", load: 0.2 });
    parts[1]?.polled({ verdict: "pass", detail: "", load: 0.7 });
    expect(heard.at(-1)?.load).toBe(0.7);
  });
});

test("combinations nest", () => {
  const outer: CheckObserver[] = [];
  const whole = new Combination({
    rule: "all",
    parts: [0, 1].map((i) => (each: CheckObserver) => {
      if (i === 0) return combine("any", each);
      outer.push(each);
      return { start: () => undefined, release: () => undefined, stop: () => undefined };
    }),
    observer: observer(),
    fall: 3,
  });
  whole.start();
  outer[0]?.polled({ verdict: "pass", detail: "" });
  poll(0, "fail", 3);
  expect(heard).toEqual([]);
  poll(1, "pass");
  expect(last()).toEqual(["pass", true]);
  poll(1, "fail", 3);
  expect(last()).toEqual(["fail", "fallen"]);
  whole.stop();
});
