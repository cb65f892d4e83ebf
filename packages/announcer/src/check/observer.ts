import type { HealthReport, Verdict as ServiceVerdict } from "@stitch/health";
import type { Reason } from "../decision/reasons.ts";
import type { LeaseObserver } from "./lease.ts";

/** What one poll came to. "Cannot tell" is `fail`: a check that proves nothing must not hold a route. */
export interface PollResult {
  readonly verdict: ServiceVerdict;
  readonly detail: string;
  /** 0 idle .. 1 saturated; undefined when the check does not tell. */
  readonly load?: number;
}

/** A conclusion of a combination, in which failed polls have been counted already. */
export interface Judgement extends PollResult {
  /** Why, where it is a failure. */
  readonly reason: Reason;
  /** A good check of all that count: it counts towards `rise`. */
  readonly good: boolean;
}

/** Who hears what a check finds; a Vip, or a combination of several checks. */
export interface CheckObserver extends LeaseObserver {
  polled(result: PollResult): void;
  judged(judgement: Judgement): void;
  /** What a part of a combination says of itself beyond its verdict: reasons, and that it was told to stop. */
  heardOf(report: HealthReport | undefined): void;
  /** The next poll decides something, so it should come soon. */
  readonly unsettled: boolean;
}

/** One use of a service. Ends soon after `signal` aborts; may reject, which counts as a failure. */
export type Probe = (signal: AbortSignal) => Promise<PollResult>;

/** What the announcer needs of a check. */
export interface RouteCheck {
  start(): void;
  /** The withdrawal has been sent: whoever waits for that may go on. */
  release(): void;
  stop(): void;
}

export function passed(detail: string): PollResult {
  return { verdict: "pass", detail };
}

export function failed(detail: string): PollResult {
  return { verdict: "fail", detail };
}
