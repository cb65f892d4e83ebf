import { DRY_RUN_SAID, seconds } from "./explain.ts";
import type { JournalEntry } from "./journal.ts";
import type { AnnouncerStatus, PeerStatus } from "./status.ts";

/** Changes of the session that are looked back on. */
const CHANGES_SHOWN = 8;

/** Why a router has, or has not, heard of the VIPs: the present first, then what became of the session, newest first. */
export function explainPeer(peer: PeerStatus, status: AnnouncerStatus, journal: readonly JournalEntry[]): string[] {
  if (status.dryRun) return [DRY_RUN_SAID];
  return [
    headline(peer),
    ...(peer.advice === "" ? [] : [`Look at this: ${peer.advice}.`]),
    ...lastWord(peer),
    ...routes(peer, status),
    ...bfdLines(peer),
    ...alarmLines(peer, status),
    ...history(peer, journal),
  ];
}

function headline({ address, port, asn, session }: PeerStatus): string {
  const { state, reason, detail, holdTime } = session;
  const peer = `Peer ${address} port ${port} (AS ${asn})`;
  if (state === "Established") {
    return `${peer} is Established${holdTime === undefined ? "" : `: a silent router is noticed within ${seconds(holdTime)}`}.`;
  }
  return `${peer} is ${state} (${reason ?? "not started"}${detail === "" ? "" : `: ${detail}`}).`;
}

/** What ended the session before this one may be why there is none now. */
function lastWord({ session: { lastNotification: last } }: PeerStatus): string[] {
  if (last === undefined) return [];
  const { direction, name, text } = last;
  const who = direction === "received" ? "The router's last NOTIFICATION" : "Our last NOTIFICATION to it";
  return [`${who} was ${name}${text === "" ? "" : `, "${text}"`}.`];
}

function routes({ address, announced, session }: PeerStatus, { vips }: AnnouncerStatus): string[] {
  if (session.state !== "Established") return ["It hears nothing of us, and uses none of our routes."];
  return [
    `It has heard ${announced.length === 0 ? "of no VIP" : announced.join(", ")}.`,
    ...session.unsendable.map(({ prefix, reason }) => `It cannot be sent ${prefix}: ${reason}.`),
    ...vips.flatMap(({ prefix, otherOrigins }) =>
      otherOrigins
        .filter(({ peer }) => peer === address)
        .map(({ asPath }) => `It has a path for ${prefix} from elsewhere: AS path ${asPath.join(" ")}.`),
    ),
  ];
}

function bfdLines({ bfd }: PeerStatus): string[] {
  if (bfd === undefined) return [];
  if (bfd.problem !== "") return [`BFD is not spoken: ${bfd.problem}.`];
  const within = bfd.detectionTime === undefined ? "" : `; a lost path is noticed within ${bfd.detectionTime} ms`;
  return [`BFD is ${bfd.state}${bfd.reason === undefined ? "" : ` (${bfd.reason})`}${within}.`];
}

/** Alarms name a peer by its address, alone or behind a VIP. */
function alarmLines({ address }: PeerStatus, { alarms }: AnnouncerStatus): string[] {
  return alarms
    .filter(({ subject }) => subject.split(" ").includes(address))
    .map(({ code, subject, since, detail }) => `Alarm ${code} (${subject}) since ${since}: ${detail}.`);
}

function history({ address }: PeerStatus, journal: readonly JournalEntry[]): string[] {
  return journal
    .flatMap((entry) => (entry.kind === "session" && entry.peer === address ? [entry] : []))
    .slice(-CHANGES_SHOWN)
    .toReversed()
    .map(({ at, from, to, reason, detail }) => {
      const moved = to === "notification" ? `NOTIFICATION ${from}` : `${from} -> ${to} (${reason})`;
      return `${at} ${moved}${detail === "" ? "" : `: ${detail}`}.`;
    });
}
