import type { Wish } from "./decision/machine.ts";
import type { Reason } from "./decision/reasons.ts";
import type { DecisionEntry, HealthEntry, JournalEntry } from "./journal.ts";
import type { AnnouncerStatus, KernelStatus, PeerStatus, VipStatus } from "./status.ts";

/** Decisions that `explain` looks back on. */
const DECISIONS_SHOWN = 8;

const WISH_IN_WORDS: Readonly<Record<Wish, string>> = {
  normal: "announced",
  "last-resort": "announced as last resort (any healthier site wins)",
  none: "not announced",
};

/** What a dry run decides is told as what an announcer does. */
export const DRY_RUN_SAID = "This is a dry run: nothing is announced; it tells what would be.";

/** Each reason as an operator would say it. */
export const REASON_IN_WORDS: Readonly<Record<Reason, string>> = {
  "check-passed": "the service passed a check",
  risen: "it passed enough checks in a row",
  "verdict-pass": "the service reports that it is well",
  "verdict-degraded": "the service lacks something that it depends on",
  "verdict-fail": "the service reports that it cannot serve",
  "check-failed": "a check failed",
  fallen: "too many checks failed in a row",
  "lease-closed": "the service's lease stream ended: the process is gone",
  "lease-expired": "the service stopped renewing its lease: it hangs",
  "lease-refused": "the service cannot be reached at its health address",
  "vip-not-local": "the VIP is not an address of this machine",
  "service-draining": "the service was told to stop",
  "operator-drain": "an operator drained it",
  "operator-undrain": "an operator ended the drain",
  "drain-expired": "the drain's time was over",
  "announcer-stopping": "the announcer is stopping",
  "other-origin-seen": "another origin of the VIP has been seen, so it could leave",
  "sibling-announces": "another site says that it announces the VIP, so it could leave",
  "nobody-listens": "no router listens, so nothing was lost by leaving",
  "drain-deadline": "the drain's deadline came",
  "drain-forced": "an operator forced it",
};

/** Why a VIP is, or is not, announced: the present first, then the chain of causes, newest first. */
export function explain(vip: VipStatus, status: AnnouncerStatus, journal: readonly JournalEntry[]): string[] {
  const peers = status.dryRun ? [] : status.peers.map((peer) => peerLine(vip, peer));
  const kernel = kernelLines(vip, status.kernel);
  return [
    ...(status.dryRun ? [DRY_RUN_SAID] : []),
    headline(vip),
    ...present(vip),
    ...peers,
    ...kernel,
    ...alarmLines(vip, status),
    ...history(vip, journal),
  ];
}

function headline({ prefix, service, wish, state, verdict, age }: VipStatus): string {
  return `${prefix} (${service}) is ${WISH_IN_WORDS[wish]}: state ${state}, verdict ${verdict}, since ${seconds(age)} ago.`;
}

function present(vip: VipStatus): string[] {
  const lines = (vip.report?.reasons ?? []).map(
    ({ code, class: kind, since, detail }) => `The service says ${code} (${kind}) since ${since}: ${detail}.`,
  );
  if (vip.addressMissing) {
    const [address = ""] = vip.prefix.split("/");
    lines.push(`${address} is not an address of this machine: the deployment must add it.`);
  }
  if (!vip.heard) lines.push(`Its check has not come to a result yet (${vip.check}).`);
  else if (vip.lastLoss !== "") lines.push(`Its check fails (${vip.check}): ${vip.lastLoss}.`);
  if (vip.report?.phase === "starting") lines.push("The service is still starting (warming up).");
  if (vip.holdDownLeft > 0)
    lines.push(`It may not be announced again for ${seconds(vip.holdDownLeft)}: hold-down after the fall.`);
  if (vip.drain !== undefined) lines.push(...drainLines(vip.drain));
  for (const { peer, asPath } of vip.otherOrigins)
    lines.push(`${peer} also has a path from elsewhere: AS path ${asPath.join(" ")}.`);
  return lines;
}

function drainLines({ by, reason, returnsIn, detail }: NonNullable<VipStatus["drain"]>): string[] {
  const lines = [`Drained by the ${by}: ${reason === "" ? "no reason given" : reason}.`];
  if (detail !== "") lines.push(`The guard: ${detail}.`);
  if (returnsIn !== undefined) lines.push(`It returns by itself in ${seconds(returnsIn)}.`);
  return lines;
}

function bfdText(bfd: PeerStatus["bfd"]): string {
  if (bfd === undefined) return "";
  if (bfd.problem !== "") return ` BFD is not spoken: ${bfd.problem}.`;
  const within = bfd.detectionTime === undefined ? "" : `; a silent router is noticed within ${bfd.detectionTime} ms`;
  return ` BFD is ${bfd.state}${within}.`;
}

function peerLine(vip: VipStatus, peer: PeerStatus): string {
  return peer.advice === "" ? peerState(vip, peer) : `${peerState(vip, peer)} Look at this: ${peer.advice}.`;
}

function peerState(vip: VipStatus, { address, asn, announced, session, bfd }: PeerStatus): string {
  const { state, reason, detail, unsendable } = session;
  const peer = `Peer ${address} (AS ${asn})`;
  if (state !== "Established") {
    return `${peer} is ${state} (${reason ?? "not started"}${detail === "" ? "" : `: ${detail}`}).`;
  }
  const obstacle = unsendable.find(({ prefix }) => prefix === vip.prefix);
  if (obstacle !== undefined) return `${peer} cannot be sent the route: ${obstacle.reason}.`;
  return `${peer} ${announced.includes(vip.prefix) ? "has heard the route" : "has not heard the route"}.${bfdText(bfd)}`;
}

function kernelLines({ prefix }: VipStatus, kernel: KernelStatus | undefined): string[] {
  if (kernel === undefined) return [];
  const { protocol, announced, failure, watched, misplaced } = kernel;
  const lines = [
    `The kernel's main table ${announced.includes(prefix) ? "has" : "lacks"} the route (proto ${protocol}).`,
  ];
  if (failure !== "") lines.push(`The kernel's tables cannot be kept in step: ${failure}.`);
  if (misplaced.includes(prefix))
    lines.push("It is an address of an interface: routing daemons announce that always, or never, whatever we say.");
  if (!watched) lines.push("No watchdog runs: were the announcer killed now, its routes would stay.");
  return lines;
}

/** Those of this VIP and of the peers; not those of other VIPs. */
function alarmLines({ prefix }: VipStatus, { alarms, vips }: AnnouncerStatus): string[] {
  const others = vips.map((vip) => vip.prefix).filter((other) => other !== prefix);
  return alarms
    .filter(({ subject }) => !others.some((other) => subject === other || subject.startsWith(`${other} `)))
    .map(({ code, subject, since, detail }) => `Alarm ${code} (${subject}) since ${since}: ${detail}.`);
}

function history(vip: VipStatus, journal: readonly JournalEntry[]): string[] {
  const decisions = journal.filter(
    (entry): entry is JournalEntry & DecisionEntry => entry.kind === "decision" && entry.vip === vip.prefix,
  );
  return decisions
    .slice(-DECISIONS_SHOWN)
    .toReversed()
    .map((decision) => decisionLine(decision, journal));
}

function decisionLine(decision: JournalEntry & DecisionEntry, journal: readonly JournalEntry[]): string {
  const { at, from, to, reason, detail, wish } = decision;
  const moved = from === to ? to : `${from} -> ${to}`;
  const effect = wish.from === wish.to ? "" : `; now ${WISH_IN_WORDS[wish.to]}`;
  const told = journal.flatMap((entry) => (entry.kind === "update" && entry.cause === decision.id ? [entry.peer] : []));
  const sent = told.length === 0 ? "" : `, told ${told.join(", ")}`;
  const because = causeText(decision, journal);
  return `${at} ${moved}: ${REASON_IN_WORDS[reason]} (${detail})${effect}${sent}${because}.`;
}

/** The entry behind a decision, where it says more than the decision itself. */
function causeText({ id, cause }: JournalEntry & DecisionEntry, journal: readonly JournalEntry[]): string {
  const entry = journal.find((each) => each.id === cause);
  const said = entry === undefined ? "" : causeInWords(entry);
  return said === "" || cause === undefined ? "" : ` [#${id} because of #${cause}, ${entry?.at ?? ""}: ${said}]`;
}

function causeInWords(entry: JournalEntry): string {
  switch (entry.kind) {
    case "health":
      return `the check said ${healthText(entry)}`;
    case "operator":
      return `an operator asked for a${entry.action === "drain" ? " drain" : "n undrain"}${entry.reason === "" ? "" : ` (${entry.reason})`}`;
    case "decision":
      return `${entry.from} -> ${entry.to}`;
    default:
      return "";
  }
}

/** What a check said, in few words. */
export function healthText(entry: HealthEntry): string {
  switch (entry.said) {
    case "lost":
      return entry.reason;
    case "address":
      return entry.present ? "that the address is here again" : "vip-not-local";
    case "report":
      return `${entry.phase}, ${entry.verdict}`;
    case "poll":
    case "judged":
      return entry.verdict;
  }
}

export function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 1_000)} s`;
}
