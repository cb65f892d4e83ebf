import type { HealthReport, Verdict as ServiceVerdict } from "@stitch/health";
import type { Reason } from "../decision/reasons.ts";
import type { LeaseLoss } from "./lease.ts";
import type { CheckObserver, Judgement, PollResult, RouteCheck } from "./observer.ts";

/** `all`: as good as its worst part. `any`: as good as its best. */
export type Rule = "all" | "any";

/** Where one part stands. A part that has not spoken counts for nothing: nothing is announced on a guess. */
interface Standing {
  readonly verdict: ServiceVerdict | "unknown";
  readonly reason: Reason;
  readonly detail: string;
  readonly load: number | undefined;
}

export interface CombinationOptions {
  readonly rule: Rule;
  /** Opens each part with the observer that it is to tell. */
  readonly parts: readonly ((observer: CheckObserver) => RouteCheck)[];
  readonly observer: CheckObserver;
  /** Failed polls in a row before a polled part counts as failed; each part counts its own. */
  readonly fall: number;
}

const RANK = { pass: 0, degraded: 1, fail: 2, unknown: 3 } as const;

/**
 * Several checks as one. Failed polls are counted per part, so that one part's misses are not forgiven by another's
 * passes. A good check of the whole is a round: of `all`, every part has been good again since the last; of `any`, one.
 *
 * Nothing is judged while a part is yet to be heard that could still turn the result: a reload opens the check anew under
 * a living route. The wait is bounded by the timeout of each part, which is heard then, as failed.
 */
export class Combination implements RouteCheck {
  readonly #options: CombinationOptions;
  readonly #parts: Part[];
  readonly #checks: readonly RouteCheck[];

  constructor(options: CombinationOptions) {
    this.#options = options;
    this.#parts = options.parts.map(
      () => new Part(options.fall, options.observer, (part, good) => this.#heard(part, good)),
    );
    this.#checks = options.parts.map((open, i) => open(this.#parts[i] as Part));
  }

  start(): void {
    for (const check of this.#checks) check.start();
  }

  release(): void {
    for (const check of this.#checks) check.release();
  }

  stop(): void {
    for (const check of this.#checks) check.stop();
  }

  #heard(part: Part, good: boolean): void {
    const { rule, observer } = this.#options;
    part.fresh ||= good;
    const decisive = this.#decisive();
    if (decisive === undefined) return;
    const { verdict, detail, reason } = decisive.standing;
    const loads = this.#parts.flatMap(({ standing: { load } }) => load ?? []);
    const load = loads.length === 0 ? {} : { load: Math.max(...loads) };
    const { serves } = decisive;
    const round = serves && good && (rule === "any" || this.#parts.every(({ fresh }) => fresh));
    if (round) for (const each of this.#parts) each.fresh = false;
    const sound = verdict === "pass" || verdict === "degraded" ? verdict : "fail";
    const judgement: Judgement = { verdict: sound, detail, reason, good: round, ...load };
    observer.judged(judgement);
  }

  /** The part that makes the whole what it is; undefined while one that is yet to be heard may do so. */
  #decisive(): Part | undefined {
    const all = this.#options.rule === "all";
    const heard = this.#parts.filter((part) => part.heard);
    const rank = ({ standing }: Part): number => (all ? 1 : -1) * RANK[standing.verdict];
    const decisive = heard.reduce((worst, part) => (rank(part) > rank(worst) ? part : worst));
    const final = decisive.serves !== all;
    return final || heard.length === this.#parts.length ? decisive : undefined;
  }
}

/** Listens to one part. */
class Part implements CheckObserver {
  standing: Standing = { verdict: "unknown", reason: "check-failed", detail: "not heard yet", load: undefined };
  /** It has come to a result, be it that it cannot tell. */
  heard = false;
  /** It has been good since the last round. */
  fresh = false;
  readonly #fall: number;
  readonly #whole: CheckObserver;
  readonly #heard: (part: Part, good: boolean) => void;
  #failures = 0;
  #serving = false;

  constructor(fall: number, whole: CheckObserver, heard: (part: Part, good: boolean) => void) {
    this.#fall = fall;
    this.#whole = whole;
    this.#heard = heard;
  }

  get serves(): boolean {
    return this.standing.verdict === "pass" || this.standing.verdict === "degraded";
  }

  get unsettled(): boolean {
    return this.#whole.unsettled || (this.#failures > 0 && this.#failures < this.#fall);
  }

  report(report: HealthReport): void {
    this.#serving = report.phase === "serving";
    const starting = report.phase === "starting";
    const verdict = starting ? "unknown" : report.verdict;
    const detail = report.reasons.map(({ code }) => code).join(", ") || `the service reports ${report.phase}`;
    this.#stands({ verdict, reason: "verdict-fail", detail, load: undefined }, false);
    // What else a service says of itself, the whole should know: that it is told to stop, and its reasons.
    this.#whole.heardOf(report);
  }

  /** A lease that renews and has said no verdict would be waited for without end: it cannot tell. */
  renewed(_load: number): void {
    if (!this.heard) this.#stands(this.standing, false);
    else if (this.#serving) this.#stands(this.standing, this.standing.verdict !== "fail");
  }

  lost(reason: LeaseLoss, detail: string): void {
    this.#serving = false;
    this.#stands({ verdict: "unknown", reason, detail, load: undefined }, false);
    this.#whole.heardOf(undefined);
  }

  polled({ verdict, detail, load }: PollResult): void {
    this.#failures = verdict === "fail" ? this.#failures + 1 : 0;
    const missed = verdict === "fail" && this.#failures < this.#fall;
    if (missed && this.serves) return;
    const reason = this.#failures >= this.#fall ? "fallen" : "check-failed";
    this.#stands({ verdict, reason, detail, load }, verdict !== "fail");
  }

  judged({ verdict, reason, detail, load, good }: Judgement): void {
    this.#stands({ verdict, reason, detail, load }, good);
  }

  heardOf(report: HealthReport | undefined): void {
    this.#whole.heardOf(report);
  }

  #stands(standing: Standing, good: boolean): void {
    this.heard = true;
    this.standing = standing;
    if (!good) this.fresh = false;
    this.#heard(this, good);
  }
}
