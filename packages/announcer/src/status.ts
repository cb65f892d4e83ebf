import type { Precedence } from "@stitch/bfd";
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
  /** It checks and decides, and announces nothing. */
  readonly dryRun: boolean;
  readonly asn: number;
  readonly routerId: string;
  readonly vips: readonly VipStatus[];
  readonly peers: readonly PeerStatus[];
  /** What is wrong with the effect of what is announced. */
  readonly alarms: readonly Alarm[];
  readonly kernel: KernelStatus | undefined;
}

/** The kernel speaker. */
export interface KernelStatus {
  readonly protocol: number;
  /** VIPs whose route is in the kernel's main table. */
  readonly announced: readonly string[];
  /** Why the table cannot be read or changed; empty while it can. */
  readonly failure: string;
  /** A watchdog would take the routes away if the announcer died. */
  readonly watched: boolean;
  /** VIPs that are addresses of an interface, where they should be routes of the local table. */
  readonly misplaced: readonly string[];
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
  /** What to look at where the session is not as it should be; empty otherwise. */
  readonly advice: string;
  readonly session: SessionStatus;
  /** Where the peer is watched by BFD. */
  readonly bfd: BfdPeerStatus | undefined;
}

export interface BfdPeerStatus {
  readonly state: string;
  readonly reason: string | undefined;
  /** Milliseconds in which a silent router is noticed; undefined before it is heard. */
  readonly detectionTime: number | undefined;
  /** Why it is not spoken at all; empty while it is. */
  readonly problem: string;
  /** Whether its thread goes before all others of the machine. */
  readonly precedence: Precedence;
}

export function statusOf(
  announcer: Announcer,
  identity: HealthIdentity,
  clock: Clock,
  routerId: string,
  dryRun = false,
): AnnouncerStatus {
  return {
    ...identity,
    dryRun,
    asn: announcer.origin.asn,
    routerId,
    vips: announcer.vips.map((vip) => vipStatus(announcer, vip, clock)),
    peers: announcer.peers.map(({ config: { address, port, asn }, status, advice }) => ({
      address,
      port,
      asn,
      announced: status.announced,
      advice,
      session: status,
      bfd: bfdStatus(announcer, address),
    })),
    alarms: announcer.alarms.ringing,
    kernel: kernelStatus(announcer),
  };
}

function bfdStatus({ bfd, config }: Announcer, address: string): BfdPeerStatus | undefined {
  if (!config.peers.some((peer) => peer.address === address && peer.bfd !== undefined)) return undefined;
  const { state = "AdminDown", reason, detectionTime, problem } = bfd.of(address) ?? {};
  return { state, reason, detectionTime, problem: problem?.text ?? "", precedence: bfd.report.precedence };
}

function kernelStatus({ kernel, config }: Announcer): KernelStatus | undefined {
  if (kernel === undefined || config.kernel === undefined) return undefined;
  const { asserted: announced, failure, watched, misplaced } = kernel;
  return { protocol: config.kernel.protocol, announced, failure, watched, misplaced };
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
