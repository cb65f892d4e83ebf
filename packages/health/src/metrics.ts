import { Counter, Gauge, Registry, type CounterConfiguration } from "prom-client";
import type { Health, HealthIdentity } from "./health.ts";
import type { WorkerTable } from "./workers/table.ts";

/** A registry whose every sample says which service of which site and instance it is. */
export function createRegistry({ service, site, instance }: HealthIdentity): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service, site, instance });
  return registry;
}

/** Counts outcomes on the hot path as plain array slots; a worker's are in the memory that it shares with the main thread. */
export class Outcomes {
  /** Slot i counts the reason i of a closed set. */
  readonly counts: Float64Array;

  constructor(counts: Float64Array) {
    this.counts = counts;
  }

  /** `code` is the index of the reason. */
  count(code: number): void {
    this.counts[code] = (this.counts[code] ?? 0) + 1;
  }

  get total(): number {
    return this.counts.reduce((sum, n) => sum + n, 0);
  }
}

/** Outcomes that are counted in this thread, and their metric. */
export class OutcomeCounter<Reason extends string> extends Outcomes {
  readonly reasons: readonly Reason[];

  constructor(registry: Registry, name: string, help: string, label: string, reasons: readonly Reason[]) {
    super(new Float64Array(reasons.length));
    this.reasons = reasons;
    outcomesFrom(registry, name, help, label, reasons, (code) => this.counts[code] ?? 0);
  }
}

/**
 * Hands outcomes that are counted elsewhere to Prometheus at scrape, one sample per reason. Names of people, hosts or
 * domains never become labels: `reasons` is a closed set, and `read` gets an index of it.
 */
export function outcomesFrom(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  reasons: readonly string[],
  read: (code: number) => number,
): void {
  registry.registerMetric(
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [],
      collect(this: Counter) {
        this.reset();
        for (const [code, reason] of reasons.entries()) this.inc({ [label]: reason }, read(code));
      },
    } as CounterConfiguration<string>),
  );
}

/** A counter whose value is kept elsewhere and read at scrape; one that cannot be read (NaN) shows 0. */
export function counterFrom(registry: Registry, name: string, help: string, read: () => number): void {
  registry.registerMetric(
    new Counter({
      name,
      help,
      registers: [],
      collect(this: Counter) {
        this.reset();
        const value = read();
        if (value > 0 && Number.isFinite(value)) this.inc(value); // anything else would make prom-client refuse the scrape
      },
    }),
  );
}

/** A gauge whose value is kept elsewhere and read at scrape. */
export function gaugeFrom(registry: Registry, name: string, help: string, read: () => number): void {
  registry.registerMetric(
    new Gauge({
      name,
      help,
      registers: [],
      collect(this: Gauge) {
        this.set(read());
      },
    }),
  );
}

/** What shows that the work is dealt out evenly, or that it is not. */
export function registerWorkerMetrics(registry: Registry, { rows }: WorkerTable): void {
  const name = "stitch_health_worker_outcomes_total";
  // From 1, as every sentence about a worker counts.
  const workers = rows.map((_, index) => String(index + 1));
  outcomesFrom(registry, name, "Outcomes counted per worker", "worker", workers, (i) => rows[i]?.total ?? 0);
}

const VERDICT_VALUE = { pass: 2, degraded: 1, fail: 0 } as const;

/** What every service says of itself. */
export function registerHealthMetrics(
  registry: Registry,
  health: Health,
  read: { readonly holders: () => number; readonly checks: () => number },
): void {
  gaugeFrom(registry, "stitch_health_verdict", "2 pass, 1 degraded, 0 fail", () => VERDICT_VALUE[health.verdict]);
  gaugeFrom(registry, "stitch_health_serving", "1 while the phase is serving", () =>
    health.phase === "serving" ? 1 : 0,
  );
  gaugeFrom(registry, "stitch_health_load", "Load of the service, 0 idle to 1 saturated", () => health.load);
  gaugeFrom(registry, "stitch_health_lease_holders", "Open lease streams", read.holders);
  counterFrom(registry, "stitch_health_self_checks_total", "Self-checks completed", read.checks);
}
