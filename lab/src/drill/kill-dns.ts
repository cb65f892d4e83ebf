import { firstClose, firstUpdate } from "../bgp-sighting.ts";
import { millisecondsBetween } from "../lab.ts";
import { experience, firstAnswerFrom, median } from "../probe/gap.ts";
import { probeDns } from "../probe/start.ts";
import { type Drill, type DrillContext, type Row, tenths, unless } from "./drill.ts";
import { LON, NYC, TOR_TO_HOST, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";

/** Issue 2: how much longer than the network's own floor the client may wait. */
const OVER_FLOOR_MS = 60;

/** The service alone, and the floor: service and announcer together, when the router sees the session end at once. */
const SCENARIOS = { service: ["dns"], floor: ["dns", "announcer"] } as const;
type Scenario = keyof typeof SCENARIOS;

interface Sample {
  readonly scenario: Scenario;
  readonly branchGapMs: number;
  readonly branchLost: number;
  readonly nearGapMs: number;
  readonly nearLost: number;
  readonly movedMs: number;
  /** Kill to the first UPDATE (service) or the end of the session (floor) on the wire; NaN when none was seen. */
  readonly toldMs: number;
}

export const killDns: Drill = {
  name: "kill-dns",
  intent:
    "kill -9 of New York's resolver: how long clients wait, beside the floor (resolver and announcer killed together)",
  async run(context) {
    const samples: Sample[] = [];
    for (let repetition = 1; repetition <= context.repetitions; repetition++) {
      for (const scenario of ["service", "floor"] as const) {
        context.progress(
          `drill: kill -9 of ${SCENARIOS[scenario].join(" and ")} at nyc, ${repetition} of ${context.repetitions}`,
        );
        samples.push(await once(context, scenario));
      }
    }
    const figures = summary(samples);
    const over = figures["killed_gap_over_floor_ms"] ?? Number.NaN;
    const failures = unless(
      over <= OVER_FLOOR_MS,
      `the gap is ${over} ms above the floor; ${OVER_FLOOR_MS} ms is the limit`,
    );
    return { rows: samples.map(row), figures, failures };
  },
};

async function once({ lab, clock }: DrillContext, scenario: Scenario): Promise<Sample> {
  await settled(lab, clock);
  const branch = await probeDns(lab, "branch", VIPS.dns, WHOAMI);
  const near = await probeDns(lab, "client-nyc", VIPS.dns, WHOAMI);
  const capture = await lab.capture(NYC.router, TOR_TO_HOST, "tcp port 179");
  const killed = await lab.signal(NYC.host, SCENARIOS[scenario], "SIGKILL");
  await Promise.all([branch.answeredBy(LON.site), near.answeredBy(LON.site)]);
  const [branchRecord, nearRecord] = await Promise.all([branch.finish(), near.finish()]);
  const packets = await capture.stop();
  const told = (scenario === "service" ? firstUpdate : firstClose)(packets, NYC.hostAddress, killed);
  const [atBranch, atNear] = [experience(branchRecord), experience(nearRecord)];
  return {
    scenario,
    branchGapMs: atBranch.longestGapMs,
    branchLost: atBranch.lost,
    nearGapMs: atNear.longestGapMs,
    nearLost: atNear.lost,
    movedMs: firstAnswerFrom(branchRecord, LON.site, killed) ?? Number.NaN,
    toldMs: told === undefined ? Number.NaN : millisecondsBetween(killed, told),
  };
}

function row(sample: Sample): Row {
  return {
    killed: sample.scenario === "service" ? "dns" : "dns + announcer (floor)",
    "branch gap ms": tenths(sample.branchGapMs),
    "branch lost": sample.branchLost,
    "near gap ms": tenths(sample.nearGapMs),
    "near lost": sample.nearLost,
    "moved ms": tenths(sample.movedMs),
    "router told ms": tenths(sample.toldMs),
  };
}

function summary(samples: readonly Sample[]): Record<string, number> {
  const middle = (scenario: Scenario, value: (sample: Sample) => number): number =>
    tenths(median(samples.filter((sample) => sample.scenario === scenario).map(value)));
  const branch = { gap: middle("service", (s) => s.branchGapMs), floor: middle("floor", (s) => s.branchGapMs) };
  const near = { gap: middle("service", (s) => s.nearGapMs), floor: middle("floor", (s) => s.nearGapMs) };
  return {
    killed_gap_branch_ms: branch.gap,
    floor_gap_branch_ms: branch.floor,
    killed_gap_near_ms: near.gap,
    floor_gap_near_ms: near.floor,
    killed_gap_over_floor_ms: tenths(Math.max(branch.gap - branch.floor, near.gap - near.floor)),
    killed_update_ms: middle("service", (s) => s.toldMs),
  };
}
