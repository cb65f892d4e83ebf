import { formatWall, type Clock } from "@stitch/clock";

export type Phase = "starting" | "serving" | "draining";
export type Verdict = "pass" | "degraded" | "fail";

/**
 * Why a service is not simply well.
 * `dead`: it cannot serve; the route goes. `dependency`: it serves, but something it needs is gone; any healthier site
 * should be preferred. `load`: it is busy; the route stays and the alarm rings.
 */
export type ReasonClass = "dead" | "dependency" | "load";

export interface HealthReason {
  readonly code: string;
  readonly class: ReasonClass;
  /** RFC 3339, UTC: when this reason began. */
  readonly since: string;
  readonly detail: string;
}

/** What /health answers and every `verdict` event of the lease carries. */
export interface HealthReport {
  readonly service: string;
  readonly site: string;
  readonly instance: string;
  readonly phase: Phase;
  readonly verdict: Verdict;
  /** 0 idle .. 1 saturated. */
  readonly load: number;
  readonly reasons: readonly HealthReason[];
}

export interface HealthIdentity {
  readonly service: string;
  readonly site: string;
  readonly instance: string;
}

/** Longest detail kept, in characters: it may quote what a stranger sent, and goes to every holder of the lease. */
const LONGEST_DETAIL = 256;

/** One service's health: phase, reasons, and the verdict that follows from the reasons alone. */
export class Health {
  readonly identity: HealthIdentity;
  readonly #clock: Clock;
  readonly #reasons = new Map<string, HealthReason>();
  readonly #listeners = new Set<(report: HealthReport) => void>();
  #phase: Phase = "starting";
  #load = 0;

  constructor(identity: HealthIdentity, clock: Clock) {
    this.identity = identity;
    this.#clock = clock;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get verdict(): Verdict {
    let verdict: Verdict = "pass";
    for (const reason of this.#reasons.values()) {
      if (reason.class === "dead") return "fail";
      if (reason.class === "dependency") verdict = "degraded";
    }
    return verdict;
  }

  get report(): HealthReport {
    const { service, site, instance } = this.identity;
    const reasons = [...this.#reasons.values()];
    return { service, site, instance, phase: this.#phase, verdict: this.verdict, load: this.#load, reasons };
  }

  /** Begins or updates a reason. `since` stays that of its beginning. */
  raise(code: string, reasonClass: ReasonClass, text: string): void {
    const detail = text.slice(0, LONGEST_DETAIL);
    const known = this.#reasons.get(code);
    if (known?.class === reasonClass && known.detail === detail) return;
    const since = known?.since ?? formatWall(this.#clock.wallMicros());
    this.#reasons.set(code, { code, class: reasonClass, since, detail });
    this.#changed();
  }

  clear(code: string): void {
    if (this.#reasons.delete(code)) this.#changed();
  }

  /** Moves forward only: starting, serving, draining. */
  enter(phase: "serving" | "draining"): void {
    if (this.#phase === phase || this.#phase === "draining") return;
    this.#phase = phase;
    this.#changed();
  }

  /** Not announced as a change: load rides on renewals. What is no number is ignored. */
  set load(load: number) {
    if (Number.isNaN(load)) return;
    this.#load = Math.min(1, Math.max(0, load));
  }

  get load(): number {
    return this.#load;
  }

  /** Calls `listener` at every change of phase or reasons; returns how to stop it. */
  onChange(listener: (report: HealthReport) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A listener may itself cause a change: whoever is called last has the latest report. */
  #changed(): void {
    for (const listener of this.#listeners) listener(this.report);
  }
}

/** What of a report is worth an event of its own: everything but load and the wording of details. */
export function substance({ phase, verdict, reasons }: HealthReport): string {
  return [phase, verdict, ...reasons.map((reason) => `${reason.code}:${reason.class}:${reason.since}`)].join(" ");
}
