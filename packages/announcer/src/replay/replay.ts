import { formatPrefix } from "@stitch/bgp-speaker";
import type { AnnouncerConfig, VipConfig } from "../config.ts";
import { FlapMemory } from "../flap-memory.ts";
import { Journal, type DecisionEntry, type JournalEntry } from "../journal.ts";
import { Vip } from "../vip.ts";
import { historyOf, type RouteHistory } from "./history.ts";
import { Player } from "./player.ts";
import { RecordedTime } from "./recorded-time.ts";
import type { DrainTimes } from "./recorded-guard.ts";
import { timelineOf, wallOf } from "./timeline.ts";

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
  /** Drains that operators asked for, of VIPs that the configuration has: they are replayed. */
  readonly drains: number;
}

/**
 * What `config` would have decided on what the checks said and operators asked for in a recording: the same machine, on
 * the recording's time.
 */
export function replay(entries: readonly JournalEntry[], { vips, drain }: AnnouncerConfig): Replay {
  const recorded = entries.flatMap((entry) => (entry.kind === "health" ? [entry.vip] : []));
  const [from = "", to = ""] = [entries.at(0)?.at, entries.at(-1)?.at];
  const names = new Set(vips.map(({ prefix }) => formatPrefix(prefix)));
  return {
    from,
    to,
    vips: vips.map((vip) => replayVip(vip, entries, drain)),
    unknown: [...new Set(recorded)].filter((vip) => !names.has(vip)),
    drains: entries.filter(
      (entry) => entry.kind === "operator" && entry.action === "drain" && entry.vips.some((vip) => names.has(vip)),
    ).length,
  };
}

function replayVip(config: VipConfig, entries: readonly JournalEntry[], times: DrainTimes): ReplayedVip {
  const name = formatPrefix(config.prefix);
  const time = new RecordedTime(wallOf(entries.at(0)));
  const end = wallOf(entries.at(-1));
  const decisions: Decision[] = [];
  const journal = new Journal(undefined, time, () => undefined);
  journal.onEntry((entry) => void (entry.kind === "decision" && decisions.push(entry)));
  const flaps = new FlapMemory(undefined, time, () => undefined);
  const vip = new Vip({ config, clock: time, journal, flaps, onDecision: nothing, onServiceDraining: nothing });
  const player = new Player(vip, time, times);
  const timeline = timelineOf(entries, name);
  for (const [i, happening] of timeline.entries()) {
    player.play(happening);
    player.goOn(Math.min(end, timeline[i + 1]?.at ?? end));
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

function nothing(): void {
  // what follows from a decision is for routers, and a replay speaks to none
}
