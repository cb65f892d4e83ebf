import { elapsed, later, type Duration, type Instant } from "@stitch/clock";
import type { Reason } from "./reasons.ts";

/**
 * The life of one VIP. What the router hears is `wish(state, verdict)`, and nothing else decides it.
 *
 * A normal day: INIT. The lease is held and renewed: RISING, and after `rise` renewals UP; the router hears the prefix.
 * The process is killed: the stream ends, DOWN in the same turn of the event loop, withdrawn. It comes back: RISING,
 * but not UP before `holdDown` has passed since the fall.
 *
 * A hard one: UP and degraded (an upstream is gone): the router hears the last resort, so that any healthier site wins
 * and the address still lives where there is none. The operator drains: DRAINING, last resort too; when another origin
 * has been seen, or the operator insists, DRAINED. Had the service died while DRAINING, it would be DRAINED at once:
 * dead always withdraws. The operator takes the drain back: INIT, or DOWN where a fall has still to be waited for.
 */
export type State =
  | { readonly name: "INIT" }
  | { readonly name: "RISING"; readonly passed: number; readonly notBefore: Instant }
  | { readonly name: "UP" }
  | { readonly name: "FALLING"; readonly failed: number }
  | { readonly name: "DOWN"; readonly until: Instant }
  /** `failed` polls in a row: a drain is no reason to believe a single one. */
  | { readonly name: "DRAINING"; readonly by: DrainedBy; readonly failed?: number }
  /** `notBefore`: a drain does not shorten what a fall has to wait for; it goes on meanwhile. */
  | { readonly name: "DRAINED"; readonly by: DrainedBy; readonly notBefore: Instant };

export type StateName = State["name"];
export type DrainedBy = "operator" | "service" | "announcer";

/** `unknown` until a service has spoken, and again when its lease is lost. */
export type Verdict = "pass" | "degraded" | "fail" | "unknown";

export type Wish = "normal" | "last-resort" | "none";

export interface Situation {
  readonly state: State;
  readonly verdict: Verdict;
}

export type LossReason = "lease-closed" | "lease-expired" | "lease-refused" | "vip-not-local";

export type MachineEvent =
  | { readonly kind: "verdict"; readonly verdict: "pass" | "degraded" | "fail" }
  | { readonly kind: "renewed" }
  | { readonly kind: "lost"; readonly reason: LossReason }
  | { readonly kind: "polled"; readonly verdict: "pass" | "degraded" | "fail" }
  /** A combination of checks has failed, or one of its parts is degraded or well again; misses have been counted. */
  | { readonly kind: "judged"; readonly verdict: "pass" | "degraded" | "fail"; readonly reason: Reason }
  | { readonly kind: "drain"; readonly by: DrainedBy }
  | { readonly kind: "withdraw"; readonly reason: WithdrawReason }
  /** `stopping`: the service itself is on its way out, so its own drain goes on where the operator's ends. */
  | { readonly kind: "undrain"; readonly reason: UndrainReason; readonly stopping: boolean };

export type UndrainReason = "operator-undrain" | "drain-expired";

export type WithdrawReason =
  | "other-origin-seen"
  | "sibling-announces"
  | "nobody-listens"
  | "drain-deadline"
  | "drain-forced";

export interface Rules {
  readonly rise: number;
  readonly fall: number;
  readonly holdDown: Duration;
}

export interface Step {
  readonly situation: Situation;
  readonly reason: Reason;
}

export const INITIAL: Situation = { state: { name: "INIT" }, verdict: "unknown" };

/** What the router hears: a total function of state and verdict (design table). */
export function wish(state: State, verdict: Verdict): Wish {
  switch (state.name) {
    case "UP":
    case "FALLING":
      return serving(verdict);
    case "DRAINING":
      return serving(verdict) === "none" ? "none" : "last-resort";
    case "INIT":
    case "RISING":
    case "DOWN":
    case "DRAINED":
      return "none";
  }
}

function serving(verdict: Verdict): Wish {
  switch (verdict) {
    case "pass":
      return "normal";
    case "degraded":
      return "last-resort";
    case "fail":
    case "unknown":
      return "none";
  }
}

/** The next situation and why; undefined when the event changes nothing worth telling. */
export function step(now: Situation, event: MachineEvent, rules: Rules, at: Instant): Step | undefined {
  switch (event.kind) {
    case "verdict":
      return spoken(now, event.verdict, rules, at);
    case "renewed":
      return renewed(now, rules, at);
    case "lost":
      return lost(now, event.reason, rules, at);
    case "polled":
      return polled(now, event.verdict, rules, at);
    case "judged":
      return event.verdict === "fail" ? failed(now, event.reason, rules, at) : spoken(now, event.verdict, rules, at);
    case "drain":
      return drained(now, event.by, at);
    case "withdraw":
      return withdrawn(now, event.reason, at);
    case "undrain":
      return undrained(now, event.reason, event.stopping, at);
  }
}

function spoken(now: Situation, verdict: "pass" | "degraded" | "fail", rules: Rules, at: Instant): Step | undefined {
  if (verdict === "fail") return failed(now, "verdict-fail", rules, at);
  if (now.verdict === verdict) return undefined;
  return { situation: { state: now.state, verdict }, reason: verdict === "pass" ? "verdict-pass" : "verdict-degraded" };
}

/** A renewal proves a self-check younger than 300 ms: one good check. */
function renewed({ state, verdict }: Situation, { rise }: Rules, at: Instant): Step | undefined {
  if (verdict === "fail" || verdict === "unknown") return undefined;
  switch (state.name) {
    case "INIT":
      return rising(1, at, verdict, rise, at);
    case "DOWN":
      return rising(1, state.until, verdict, rise, at);
    case "RISING":
      return rising(state.passed + 1, state.notBefore, verdict, rise, at);
    case "FALLING":
      return { situation: { state: { name: "UP" }, verdict }, reason: "check-passed" };
    case "UP":
    case "DRAINING":
    case "DRAINED":
      return undefined;
  }
}

function rising(passed: number, notBefore: Instant, verdict: Verdict, rise: number, at: Instant): Step {
  const ready = passed >= rise && at >= notBefore;
  return ready
    ? { situation: { state: { name: "UP" }, verdict }, reason: "risen" }
    : { situation: { state: { name: "RISING", passed, notBefore }, verdict }, reason: "check-passed" };
}

function lost(now: Situation, reason: LossReason, rules: Rules, at: Instant): Step | undefined {
  const after = fallen(now, "unknown", reason, rules, at);
  return after.situation.state === now.state && now.verdict === "unknown" ? undefined : after;
}

function failed(now: Situation, reason: Reason, rules: Rules, at: Instant): Step | undefined {
  const after = fallen(now, "fail", reason, rules, at);
  return after.situation.state === now.state && now.verdict === "fail" ? undefined : after;
}

/** The service is dead or cannot be asked: nothing here is planned, so nothing here waits. */
function fallen(now: Situation, verdict: "fail" | "unknown", reason: Reason, rules: Rules, at: Instant): Step {
  return { situation: { state: afterFall(now.state, rules, at), verdict }, reason };
}

function afterFall(state: State, { holdDown }: Rules, at: Instant): State {
  switch (state.name) {
    case "UP":
    case "FALLING":
      return { name: "DOWN", until: later(at, holdDown) };
    case "RISING":
      return { name: "DOWN", until: state.notBefore };
    case "DRAINING":
      return state.by === "service"
        ? { name: "DOWN", until: at }
        : { name: "DRAINED", by: state.by, notBefore: later(at, holdDown) };
    case "INIT":
    case "DOWN":
    case "DRAINED":
      return state;
  }
}

/** Only polled checks are counted down: one lost poll proves less than a lost lease. */
function polled(now: Situation, verdict: "pass" | "degraded" | "fail", rules: Rules, at: Instant): Step | undefined {
  if (verdict !== "fail") {
    const after = spoken(now, verdict, rules, at);
    return renewed(after?.situation ?? now, rules, at) ?? forgiven(now, verdict) ?? after;
  }
  const { state } = now;
  if (state.name !== "UP" && state.name !== "FALLING" && state.name !== "DRAINING")
    return failed(now, "check-failed", rules, at);
  const count = state.name === "UP" ? 1 : (state.failed ?? 0) + 1;
  if (count >= rules.fall) return fallen(now, "fail", "fallen", rules, at);
  const next: State = state.name === "DRAINING" ? { ...state, failed: count } : { name: "FALLING", failed: count };
  return { situation: { state: next, verdict: now.verdict }, reason: "check-failed" };
}

/** A drain whose poll passes again. */
function forgiven({ state }: Situation, verdict: Verdict): Step | undefined {
  if (state.name !== "DRAINING" || state.failed === undefined) return undefined;
  const reason = verdict === "degraded" ? "verdict-degraded" : "check-passed";
  return { situation: { state: { name: "DRAINING", by: state.by }, verdict }, reason };
}

const DRAIN_REASON = {
  operator: "operator-drain",
  service: "service-draining",
  announcer: "announcer-stopping",
} as const satisfies Record<DrainedBy, Reason>;

function drained({ state, verdict }: Situation, by: DrainedBy, at: Instant): Step | undefined {
  const reason = DRAIN_REASON[by];
  switch (state.name) {
    case "UP":
    case "FALLING":
      return { situation: { state: { name: "DRAINING", by }, verdict }, reason };
    case "DRAINING":
      return outranks(by, state.by) ? { situation: { state: { name: "DRAINING", by }, verdict }, reason } : undefined;
    case "DRAINED":
      return outranks(by, state.by) ? { situation: { state: { ...state, by }, verdict }, reason } : undefined;
    case "INIT":
    case "RISING":
    case "DOWN": {
      const notBefore = later(at, holdDownLeft(state, at));
      return by === "service"
        ? undefined
        : { situation: { state: { name: "DRAINED", by, notBefore }, verdict }, reason };
    }
  }
}

/** An operator's drain outlives the service's own; the announcer's stop ends everything. */
function outranks(by: DrainedBy, current: DrainedBy): boolean {
  const rank = { service: 0, operator: 1, announcer: 2 } as const;
  return rank[by] > rank[current];
}

function withdrawn({ state, verdict }: Situation, reason: WithdrawReason, at: Instant): Step | undefined {
  if (state.name !== "DRAINING") return undefined;
  const next: State =
    state.by === "service" ? { name: "DOWN", until: at } : { name: "DRAINED", by: state.by, notBefore: at };
  return { situation: { state: next, verdict }, reason };
}

function undrained(
  { state, verdict }: Situation,
  reason: UndrainReason,
  stopping: boolean,
  at: Instant,
): Step | undefined {
  if (state.name === "DRAINED" && state.by === "operator") {
    const waits = state.notBefore > at;
    return {
      situation: { state: waits ? { name: "DOWN", until: state.notBefore } : { name: "INIT" }, verdict },
      reason,
    };
  }
  if (state.name === "DRAINING" && state.by === "operator") {
    const next: State = stopping ? { name: "DRAINING", by: "service" } : { name: "UP" };
    return { situation: { state: next, verdict }, reason };
  }
  return undefined;
}

/** How long until a DOWN or RISING VIP may be announced again; 0 when only checks are missing. */
export function holdDownLeft(state: State, at: Instant): Duration {
  const until = state.name === "DOWN" ? state.until : state.name === "RISING" ? state.notBefore : at;
  return Math.max(0, elapsed(at, until)) as Duration;
}
