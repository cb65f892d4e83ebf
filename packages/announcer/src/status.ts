import type { SessionStatus } from "@stitch/bgp-speaker";
import { elapsed, type Clock } from "@stitch/clock";
import type { HealthIdentity, HealthReport } from "@stitch/health";
import type { Announcer } from "./announcer.ts";
import { describeCheck } from "./check/describe.ts";
import type { LoadMark } from "./decision/load.ts";
import { holdDownLeft, type StateName, type Verdict, type Wish } from "./decision/machine.ts";
import type { Alarm } from "./loop/alarms.ts";
import type { Vip } from "./vip.ts";

/** Everything `stitch status` shows; the JSON of GET /status. Ages are in milliseconds. */
export interface AnnouncerStatus extends HealthIdentity {
  readonly asn: number;
  readonly routerId: string;
  readonly vips: readonly VipStatus[];
  readonly peers: readonly PeerStatus[];
  /** What is wrong with the effect of what is announced. */
  readonly alarms: readonly Alarm[];
}

export interface VipStatus {
  readonly prefix: string;
  readonly service: string;
  readonly state: StateName;
  readonly verdict: Verdict;
  readonly wish: Wish;
  readonly age: number;
  readonly load: number;
  readonly holdDownLeft: number;
  /** What routers hear of the load; undefined where it moves nobody. */
  readonly loadMark: LoadMark | undefined;
  /** What is left of the penalty for past falls; from 2000 on it lengthens the hold-down. */
  readonly penalty: number;
  /** The VIP is not an address of this machine. */
  readonly addressMissing: boolean;
  /** The check, in words. */
  readonly check: string;
  /** The check has come to a result at least once. */
  readonly heard: boolean;
  /** Why the check fails; empty while it passes. */
  readonly lastLoss: string;
  readonly report: HealthReport | undefined;
  readonly drain:
    | { readonly by: string; readonly reason: string; readonly returnsIn: number | undefined; readonly detail: string }
    | undefined;
  /** Paths for this VIP from elsewhere, as peers send them. */
  readonly otherOrigins: readonly { readonly peer: string; readonly asPath: readonly number[] }[];
}

export interface PeerStatus {
  readonly address: string;
  readonly port: number;
  readonly asn: number;
  readonly announced: readonly string[];
  readonly session: SessionStatus;
}

export function statusOf(
  announcer: Announcer,
  identity: HealthIdentity,
  clock: Clock,
  routerId: string,
): AnnouncerStatus {
  return {
    ...identity,
    asn: announcer.origin.asn,
    routerId,
    vips: announcer.vips.map((vip) => vipStatus(announcer, vip, clock)),
    peers: announcer.peers.map(({ config: { address, port, asn }, status }) => ({
      address,
      port,
      asn,
      announced: status.announced,
      session: status,
    })),
    alarms: announcer.alarms.ringing,
  };
}

function vipStatus(announcer: Announcer, vip: Vip, clock: Clock): VipStatus {
  const now = clock.now();
  const { state, verdict } = vip.situation;
  const drain = announcer.drainOf(vip);
  return {
    prefix: vip.name,
    service: vip.config.service,
    state: state.name,
    verdict,
    wish: vip.wish,
    age: Math.round(elapsed(vip.since, now)),
    load: vip.load,
    holdDownLeft: Math.round(holdDownLeft(state, now)),
    loadMark: vip.loadMark,
    penalty: Math.round(vip.penalty),
    addressMissing: vip.addressMissing,
    check: describeCheck(vip.config.check),
    heard: vip.heard,
    lastLoss: vip.lastLoss,
    report: vip.lastReport,
    drain: drain && {
      by: drain.by,
      reason: drain.reason,
      returnsIn: drain.until === undefined ? undefined : Math.max(0, Math.round(elapsed(now, drain.until))),
      detail: drain.ruling.detail,
    },
    otherOrigins: announcer.otherOrigins(vip).map(({ peer, path }) => ({ peer, asPath: path.asPath })),
  };
}
