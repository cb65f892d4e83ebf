import type { Clock } from "@stitch/clock";
import { type CapturedPacket, type Lab, millisecondsBetween, type Nanoseconds } from "../lab.ts";
import { experience, firstAnswerFrom } from "../probe/gap.ts";
import { probeDns } from "../probe/start.ts";
import { type Row, tenths } from "./drill.ts";
import { LON, NYC, TOR_TO_HOST, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";

/** Something that happens to New York, after which its clients should be London's. */
export interface Blow {
  /** For the table. */
  readonly what: string;
  /** Answers the time just before it fell. What must be ready beforehand is done in `prepare`. */
  strike(lab: Lab): Promise<Nanoseconds>;
  prepare?(lab: Lab): Promise<void>;
  /** Heals what does not heal by itself. */
  heal?(lab: Lab): Promise<void>;
  /** What shows on the wire between host and router that the router was told. */
  readonly filter: string;
  told(packets: readonly CapturedPacket[], since: Nanoseconds): Nanoseconds | undefined;
}

/** What the clients lived through. */
export interface Failover {
  readonly what: string;
  readonly branchGapMs: number;
  readonly branchLost: number;
  readonly nearGapMs: number;
  readonly nearLost: number;
  readonly movedMs: number;
  /** From the blow to the telling of the router on the wire; NaN when none was seen. */
  readonly toldMs: number;
}

/** Strikes while two clients, one in the branch and one beside the host, ask `address` every millisecond. */
export async function failover(lab: Lab, clock: Clock, address: string, blow: Blow): Promise<Failover> {
  await settled(lab, clock);
  await blow.prepare?.(lab);
  const branch = await probeDns(lab, "branch", address, WHOAMI);
  const near = await probeDns(lab, "client-nyc", address, WHOAMI);
  const capture = await lab.capture(NYC.router, TOR_TO_HOST, blow.filter);
  const struck = await blow.strike(lab);
  // What is not healed would be the next drill's.
  const [branchRecord, nearRecord, told] = await (async () => {
    await Promise.all([branch.answeredBy(LON.site), near.answeredBy(LON.site)]);
    const records = await Promise.all([branch.finish(), near.finish()]);
    return [...records, blow.told(await capture.stop(), struck)] as const;
  })().finally(() => blow.heal?.(lab));
  const [atBranch, atNear] = [experience(branchRecord), experience(nearRecord)];
  return {
    what: blow.what,
    branchGapMs: atBranch.longestGapMs,
    branchLost: atBranch.lost,
    nearGapMs: atNear.longestGapMs,
    nearLost: atNear.lost,
    movedMs: firstAnswerFrom(branchRecord, LON.site, struck) ?? Number.NaN,
    toldMs: told === undefined ? Number.NaN : millisecondsBetween(struck, told),
  };
}

export function failoverRow({ what, ...seen }: Failover): Row {
  return {
    blow: what,
    "branch gap ms": tenths(seen.branchGapMs),
    "branch lost": seen.branchLost,
    "near gap ms": tenths(seen.nearGapMs),
    "near lost": seen.nearLost,
    "moved ms": tenths(seen.movedMs),
    "router told ms": tenths(seen.toldMs),
  };
}
