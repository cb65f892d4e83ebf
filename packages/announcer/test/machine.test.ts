import { milliseconds, seconds, type Instant } from "@stitch/clock";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  INITIAL,
  step,
  wish,
  type MachineEvent,
  type Situation,
  type State,
  type Verdict,
} from "../src/decision/machine.ts";

const rules = { rise: 3, fall: 3, holdDown: seconds(3) };
const at = (ms: number): Instant => milliseconds(ms) as number as Instant;

const STATES: readonly State[] = [
  { name: "INIT" },
  { name: "RISING", passed: 1, notBefore: at(0) },
  { name: "UP" },
  { name: "FALLING", failed: 1 },
  { name: "DOWN", until: at(0) },
  { name: "DRAINING", by: "operator" },
  { name: "DRAINED", by: "operator", notBefore: at(0) },
];
const VERDICTS: readonly Verdict[] = ["pass", "degraded", "fail", "unknown"];

const events: fc.Arbitrary<MachineEvent> = fc.oneof(
  fc.record({ kind: fc.constant("verdict" as const), verdict: fc.constantFrom("pass", "degraded", "fail") }),
  fc.record({ kind: fc.constant("renewed" as const) }),
  fc.record({ kind: fc.constant("lost" as const), reason: fc.constantFrom("lease-closed", "lease-expired") }),
  fc.record({ kind: fc.constant("polled" as const), verdict: fc.constantFrom("pass", "degraded", "fail") }),
  fc.record({ kind: fc.constant("drain" as const), by: fc.constantFrom("operator", "service", "announcer") }),
  fc.record({ kind: fc.constant("withdraw" as const), reason: fc.constantFrom("other-origin-seen", "drain-forced") }),
  fc.record({
    kind: fc.constant("undrain" as const),
    reason: fc.constantFrom("operator-undrain", "drain-expired"),
    stopping: fc.boolean(),
  }),
) as fc.Arbitrary<MachineEvent>;

function play(history: readonly MachineEvent[]): Situation {
  return history.reduce((now, event, i) => step(now, event, rules, at(i * 100))?.situation ?? now, INITIAL);
}

describe("the wish", () => {
  test("is this table, whole", () => {
    const table = STATES.map((state) => [state.name, ...VERDICTS.map((verdict) => wish(state, verdict))]);
    expect(table).toEqual([
      ["INIT", "none", "none", "none", "none"],
      ["RISING", "none", "none", "none", "none"],
      ["UP", "normal", "last-resort", "none", "none"],
      ["FALLING", "normal", "last-resort", "none", "none"],
      ["DOWN", "none", "none", "none", "none"],
      ["DRAINING", "last-resort", "last-resort", "none", "none"],
      ["DRAINED", "none", "none", "none", "none"],
    ]);
  });
});

describe("whatever happened before", () => {
  const histories = fc.array(events, { maxLength: 60 });

  test("a lost lease or a failing verdict leaves nothing announced", () => {
    const dead: readonly MachineEvent[] = [
      { kind: "lost", reason: "lease-closed" },
      { kind: "verdict", verdict: "fail" },
    ];
    fc.assert(
      fc.property(histories, fc.constantFrom(...dead), (history, death) => {
        const { state, verdict } = play([...history, death]);
        expect(wish(state, verdict)).toBe("none");
      }),
    );
  });

  test("nothing is announced before `rise` good checks since the last bad one", () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: 0, max: 2 }), (history, passes) => {
        const renewals = Array.from({ length: passes }, (): MachineEvent => ({ kind: "renewed" }));
        const bad: MachineEvent = { kind: "lost", reason: "lease-expired" };
        const { state, verdict } = play([...history, bad, { kind: "verdict", verdict: "pass" }, ...renewals]);
        expect(wish(state, verdict)).toBe("none");
      }),
    );
  });

  test("only an operator brings back what an operator drained", () => {
    const others = events.filter(({ kind }) => kind !== "undrain" && kind !== "withdraw");
    fc.assert(
      fc.property(fc.array(others, { maxLength: 60 }), (history) => {
        const drained: Situation = {
          state: { name: "DRAINED", by: "operator", notBefore: at(0) },
          verdict: "pass",
        };
        const after = history.reduce(
          (now, event, i) => step(now, event, rules, at(i * 100))?.situation ?? now,
          drained,
        );
        expect(wish(after.state, after.verdict)).toBe("none");
        expect(after.state.name).toBe("DRAINED");
      }),
    );
  });
});

describe("a drain and its end", () => {
  const fall: MachineEvent = { kind: "lost", reason: "lease-closed" };
  const drain: MachineEvent = { kind: "drain", by: "operator" };
  const undrain: MachineEvent = { kind: "undrain", reason: "operator-undrain", stopping: false };
  const renewals = Array.from({ length: 3 }, (): MachineEvent => ({ kind: "renewed" }));
  const up: readonly MachineEvent[] = [{ kind: "verdict", verdict: "pass" }, ...renewals];
  const alive: MachineEvent = { kind: "verdict", verdict: "pass" };

  test("do not shorten the hold-down after a fall", () => {
    const { state } = play([...up, fall, drain, undrain, alive, ...renewals]); // 0.8 s after the fall
    expect(state).toMatchObject({ name: "RISING", notBefore: at(400 + 3_000) });
  });

  test("do not lengthen it either: what is over while it is drained is over", () => {
    const waits = Array.from({ length: 30 }, () => alive);
    expect(play([...up, fall, drain, ...waits, undrain, alive]).state.name).toBe("INIT");
    expect(play([...up, fall, drain, ...waits, undrain, alive, ...renewals]).state.name).toBe("UP");
  });

  test("a service that dies on its last resort has lost its route for cause, and waits from there", () => {
    const { state } = play([...up, drain, fall, undrain]);
    expect(state).toEqual({ name: "DOWN", until: at(500 + 3_000) });
  });

  test("one that is withdrawn in good order waits for nothing", () => {
    const withdraw: MachineEvent = { kind: "withdraw", reason: "other-origin-seen" };
    expect(play([...up, drain, withdraw, fall, undrain]).state.name).toBe("INIT");
  });
});

function poll(verdict: "pass" | "fail"): MachineEvent {
  return { kind: "polled", verdict };
}

describe("polled checks", () => {
  test("fall only after `fall` failures in a row, and one pass forgives", () => {
    const up = [poll("pass"), poll("pass"), poll("pass")];
    expect(play(up).state.name).toBe("UP");
    expect(play([...up, poll("fail"), poll("fail")]).state.name).toBe("FALLING");
    expect(play([...up, poll("fail"), poll("fail"), poll("pass")]).state.name).toBe("UP");
    expect(play([...up, poll("fail"), poll("fail"), poll("fail")]).state.name).toBe("DOWN");
  });

  test("stay announced while falling", () => {
    const { state, verdict } = play([poll("pass"), poll("pass"), poll("pass"), poll("fail")]);
    expect(wish(state, verdict)).toBe("normal");
  });
});
