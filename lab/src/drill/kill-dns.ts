import { median } from "../probe/gap.ts";
import type { Variant } from "../variant.ts";
import { floor, killed } from "./blow.ts";
import { type Drill, tenths, unless } from "./drill.ts";
import { failover, failoverRow, type Failover } from "./failover.ts";
import { VIPS } from "./plan.ts";

/**
 * How much longer than the network's own floor the client may wait. BGP: 60 at most. The kernel speaker starts a
 * process for each change, which takes 20 to 40 ms on two busy cores, and more on worse days.
 */
const OVER_FLOOR_MS: Readonly<Partial<Record<Variant, number>>> = { anycast: 60, ospf: 200 };

export const killDns: Drill = {
  name: "kill-dns",
  variants: ["anycast", "ospf"],
  intent:
    "kill -9 of New York's resolver: how long clients wait, beside the floor (resolver dead and route gone at once)",
  async run({ lab, clock, progress, repetitions }) {
    const [service, network] = [killed(lab.variant), floor(lab.variant)];
    const samples: Failover[] = [];
    for (let repetition = 1; repetition <= repetitions; repetition++) {
      for (const blow of [service, network]) {
        progress(`drill: kill-dns: ${blow.what} at nyc, ${repetition} of ${repetitions}`);
        samples.push(await failover(lab, clock, VIPS.dns, blow));
      }
    }
    const of = ({ what }: { what: string }): readonly Failover[] => samples.filter((sample) => sample.what === what);
    const figures = summary(of(service), of(network));
    const over = figures["killed_gap_over_floor_ms"] ?? Number.NaN;
    const limit = OVER_FLOOR_MS[lab.variant] ?? 0;
    const sentence = `the gap is ${over} ms above the floor; ${limit} ms is the limit`;
    return { rows: samples.map(failoverRow), figures, failures: unless(over <= limit, sentence) };
  },
};

function summary(service: readonly Failover[], network: readonly Failover[]): Record<string, number> {
  const branch = { gap: middle(service, (s) => s.branchGapMs), floor: middle(network, (s) => s.branchGapMs) };
  const near = { gap: middle(service, (s) => s.nearGapMs), floor: middle(network, (s) => s.nearGapMs) };
  return {
    killed_gap_branch_ms: branch.gap,
    floor_gap_branch_ms: branch.floor,
    killed_gap_near_ms: near.gap,
    floor_gap_near_ms: near.floor,
    killed_gap_over_floor_ms: tenths(Math.max(branch.gap - branch.floor, near.gap - near.floor)),
    killed_update_ms: middle(service, (s) => s.toldMs),
  };
}

function middle(samples: readonly Failover[], value: (sample: Failover) => number): number {
  return tenths(median(samples.map(value)));
}
