import type { ReceivedPath, SessionStatus } from "@stitch/bgp-speaker";
import { seconds, type Duration } from "@stitch/clock";
import type { Clients } from "../decision/drain.ts";
import type { Wish } from "../decision/machine.ts";
import { isLeaving } from "../route/advertisement.ts";
import type { AlarmCode } from "./reasons.ts";

/** A VIP, as far as its effect goes. */
export interface VipFacts {
  readonly name: string;
  readonly wish: Wish;
  /** How often our AS stands in its path beyond the one time that it must. */
  readonly prepend: number;
  readonly clients: Clients;
  /** Clients have been seen since it was announced plainly. */
  readonly clientsSeen: boolean;
  /** What its self-query came to; empty while it is well, or not asked. */
  readonly selfQuery: string;
  readonly others: readonly { readonly peer: string; readonly path: ReceivedPath }[];
}

export interface PeerFacts {
  readonly address: string;
  /** Of our own AS. */
  readonly internal: boolean;
  readonly status: Pick<SessionStatus, "state" | "announced" | "unsendable" | "received">;
  /** It has refused us for the number of our prefixes, and has not held the session since. */
  readonly limited: boolean;
  /** Its TCP has not acknowledged an UPDATE for seconds. */
  readonly late: boolean;
}

/** Something is wrong now; it is worth an alarm once it has been so for `after`. */
export interface Finding {
  readonly code: AlarmCode;
  readonly subject: string;
  readonly detail: string;
  readonly after: Duration;
}

const AT_ONCE: Duration = seconds(0);
/** An UPDATE leaves in milliseconds; a session that is being resumed needs a moment. */
const SENDING: Duration = seconds(5);
/** Routers choose at once and tell at their advertisement interval, up to 30 s (RFC 4271 section 10). */
const CHOOSING: Duration = seconds(45);
/** Clients move when routers have; those that ask once a minute are heard within it. */
const MOVING: Duration = seconds(60);

/** All that is wrong at this moment, by the facts alone. */
export function findings(vips: readonly VipFacts[], peers: readonly PeerFacts[]): Finding[] {
  return [
    ...peers.flatMap((peer) => [...ofPeer(peer, vips), ...vips.flatMap((vip) => atPeer(vip, peer))]),
    ...vips.flatMap((vip) => ofVip(vip, peers)),
  ];
}

function ofPeer({ address, limited, late, status }: PeerFacts, vips: readonly VipFacts[]): Finding[] {
  const found: Finding[] = [];
  if (limited) {
    const detail =
      "it has closed the session because of the number of prefixes: raise its limit, or announce fewer VIPs";
    found.push({ code: "prefix-limit", subject: address, detail, after: AT_ONCE });
  }
  if (late) {
    const detail = "its TCP has not acknowledged an UPDATE: the path to it is cut, or its host is frozen";
    found.push({ code: "update-not-acknowledged", subject: address, detail, after: AT_ONCE });
  }
  const announced = vips.some(({ name }) => status.announced.includes(name));
  const used = vips.some(({ clients }) => clients === "flowing");
  if (status.state === "Established" && announced && !used && status.received.messages.update === 0) {
    found.push({ code: "router-silent", subject: address, detail: SILENT, after: MOVING });
  }
  return found;
}

const SILENT =
  "the session is established, but no UPDATE has come, and no clients are known to: a router without a policy for us takes " +
  "no route and says nothing (RFC 8212; in FRR, ebgp-requires-policy)";

function atPeer(vip: VipFacts, { address, internal, status }: PeerFacts): Finding[] {
  if (status.state !== "Established") return [];
  const subject = `${vip.name} at ${address}`;
  const unsendable = status.unsendable.find(({ prefix }) => prefix === vip.name);
  if (unsendable !== undefined && vip.wish !== "none")
    return [{ code: "route-not-sendable", subject, detail: `it cannot be said: ${unsendable.reason}`, after: AT_ONCE }];
  if (status.announced.includes(vip.name) !== (vip.wish !== "none")) {
    const detail = `the ${vip.wish === "none" ? "withdrawal" : "route"} has not been taken by the session`;
    return [{ code: "update-not-sent", subject, detail, after: SENDING }];
  }
  const path = vip.others.find(({ peer }) => peer === address)?.path;
  const own = internal ? 0 : 2 + vip.prepend;
  // BGP shows a neighbour the best path only. One as long as ours is another node of this site, chosen by a tie.
  if (vip.wish !== "normal" || path === undefined || isLeaving(path) || path.asPath.length <= own) return [];
  const detail = `it prefers the path ${path.asPath.join(" ")}, longer than ours: its policy makes little of us`;
  return [{ code: "other-path-preferred", subject, detail, after: CHOOSING }];
}

/** The session is established and has taken the route: the router has it, as far as can be known here. */
export function hears(
  { status }: { readonly status: Pick<SessionStatus, "state" | "announced"> },
  vip: string,
): boolean {
  return status.state === "Established" && status.announced.includes(vip);
}

function ofVip({ name, wish, selfQuery, clients, clientsSeen }: VipFacts, peers: readonly PeerFacts[]): Finding[] {
  const found: Finding[] = [];
  if (selfQuery !== "" && wish !== "none")
    found.push({ code: "self-query-failed", subject: name, detail: selfQuery, after: AT_ONCE });
  const heard = peers.some((peer) => hears(peer, name));
  if (wish === "normal" && heard && clients === "quiet" && !clientsSeen) {
    const detail = "it is announced, and no client has come since: routers may have other paths, or filter ours";
    found.push({ code: "no-traffic", subject: name, detail, after: MOVING });
  }
  return found;
}
