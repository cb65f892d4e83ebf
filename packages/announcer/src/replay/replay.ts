import { formatPrefix } from "@stitch/bgp-speaker";
import { milliseconds, seconds, type Duration } from "@stitch/clock";
import type { HealthReport } from "@stitch/health";
import type { CheckConfig } from "../config/checks.ts";
import type { AnnouncerConfig, VipConfig } from "../config.ts";
import type { StateName } from "../decision/machine.ts";
import { FlapMemory } from "../flap-memory.ts";
import { Journal, type DecisionEntry, type HealthEntry, type JournalEntry } from "../journal.ts";
import { Vip } from "../vip.ts";
import { historyOf, type RouteHistory } from "./history.ts";
import { RecordedTime } from "./recorded-time.ts";

/** A lease is renewed ten times a second. */
const RENEWAL: Duration = milliseconds(100);
/** Combinations have no pace of their own. */
const COMBINED: Duration = seconds(1);

type Decision = JournalEntry & DecisionEntry;

export interface ReplayedVip {
  readonly vip: string;
  readonly service: string;
  /** As it was, by the decisions in the recording. */
  readonly recorded: RouteHistory;
  /** As it would have been. */
  readonly replayed: RouteHistory;
  readonly decisions: readonly Decision[];
}

export interface Replay {
  readonly from: string;
  readonly to: string;
  readonly vips: readonly ReplayedVip[];
  /** Prefixes of the recording that the configuration does not have. */
  readonly unknown: readonly string[];
  /** Drains that operators asked for: they are not health, and are not replayed. */
  readonly drains: number;
}

/** What `config` would have decided on what the checks said in a recording: the same machine, on the recording's time. */
export function replay(entries: readonly JournalEntry[], { vips }: AnnouncerConfig): Replay {
  const health = entries.filter((entry): entry is JournalEntry & HealthEntry => entry.kind === "health");
  const [from = "", to = ""] = [entries.at(0)?.at, entries.at(-1)?.at];
  const names = new Set(vips.map(({ prefix }) => formatPrefix(prefix)));
  return {
    from,
    to,
    vips: vips.map((vip) => replayVip(vip, entries, health)),
    unknown: [...new Set(health.map(({ vip }) => vip))].filter((vip) => !names.has(vip)),
    drains: entries.filter((entry) => entry.kind === "operator" && entry.action === "drain").length,
  };
}

function replayVip(
  config: VipConfig,
  entries: readonly JournalEntry[],
  health: readonly (JournalEntry & HealthEntry)[],
): ReplayedVip {
  const name = formatPrefix(config.prefix);
  const time = new RecordedTime(wallOf(entries.at(0)));
  const end = wallOf(entries.at(-1));
  const decisions: Decision[] = [];
  const journal = new Journal(undefined, time, () => undefined);
  journal.onEntry((entry) => void (entry.kind === "decision" && decisions.push(entry)));
  const flaps = new FlapMemory(undefined, time, () => undefined);
  const vip = new Vip({ config, clock: time, journal, flaps, onDecision: nothing, onServiceDraining: nothing });
  const own = health.filter((entry) => entry.vip === name);
  for (const [i, entry] of own.entries()) {
    time.moveTo(wallOf(entry));
    say(vip, entry);
    goOn(vip, entry, time, Math.min(end, i + 1 < own.length ? wallOf(own[i + 1]) : end));
  }
  const recorded = entries.filter((entry): entry is Decision => entry.kind === "decision" && entry.vip === name);
  const span = { from: wallOf(entries.at(0)), to: end };
  return {
    vip: name,
    service: config.service,
    recorded: historyOf(recorded, span),
    replayed: historyOf(decisions, span),
    decisions,
  };
}

function say(vip: Vip, entry: HealthEntry): void {
  const { detail } = entry;
  switch (entry.said) {
    case "report":
      return vip.report(reportOf(entry));
    case "lost":
      return vip.lost(entry.reason, detail);
    case "address":
      return vip.addressChecked(entry.present);
    case "poll":
      return vip.polled({ verdict: entry.verdict, detail });
    case "judged":
      return vip.judged({ verdict: entry.verdict, reason: entry.reason, good: entry.good, detail });
  }
}

/** What was said is said again at the pace of the check, while that changes anything, until the next entry. */
function goOn(vip: Vip, entry: HealthEntry, time: RecordedTime, until: number): void {
  while (matters(vip, entry)) {
    const pace = paceOf(vip.config.check, entry, vip.unsettled);
    if (time.wallMicros() + pace * 1_000 >= until) return;
    time.moveBy(pace);
    if (entry.said === "report") vip.renewed(0);
    else say(vip, entry);
  }
}

const RISE_ON: ReadonlySet<StateName> = new Set(["INIT", "RISING", "DOWN", "FALLING"]);
const FALL_ON: ReadonlySet<StateName> = new Set(["UP", "FALLING", "DRAINING"]);

/** Whether hearing it once more could lead anywhere from here. */
function matters({ situation }: Vip, entry: HealthEntry): boolean {
  const { name } = situation.state;
  switch (entry.said) {
    case "lost":
    case "address":
      return false;
    case "report":
      return entry.phase === "serving" && entry.verdict !== "fail" && RISE_ON.has(name);
    case "poll":
      return (entry.verdict === "fail" ? FALL_ON : RISE_ON).has(name);
    case "judged":
      return entry.good && RISE_ON.has(name);
  }
}

function paceOf(check: CheckConfig, { said }: HealthEntry, unsettled: boolean): Duration {
  if (said === "report") return RENEWAL;
  if (!("pace" in check)) return COMBINED;
  return unsettled ? check.pace.fastInterval : check.pace.interval;
}

function reportOf({ service, phase, verdict, detail }: Extract<HealthEntry, { said: "report" }>): HealthReport {
  const reasons = verdict === "pass" ? [] : [{ code: "recorded", class: "dependency" as const, since: "", detail }];
  return { service, site: "", instance: "", phase, verdict, load: 0, reasons };
}

function wallOf(entry: JournalEntry | undefined): number {
  return entry === undefined ? 0 : Date.parse(entry.at) * 1_000;
}

function nothing(): void {
  // what follows from a decision is for routers, and a replay speaks to none
}
