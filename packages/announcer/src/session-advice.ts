import type { SessionReason, SessionStatus } from "@stitch/bgp-speaker";
import { formatDuration, seconds } from "@stitch/clock";
import type { PeerConfig } from "./config.ts";

/** Why a session last failed. */
export interface SessionFailure {
  readonly reason: SessionReason;
  readonly detail: string;
}

/** Steps of a session that is being opened: none of them is why it is not there. */
const PROGRESS: ReadonlySet<SessionReason> = new Set([
  "started",
  "retry",
  "tcp-connected",
  "tcp-accepted",
  "open-accepted",
  "established",
  "stopped",
]);

export function isFailure(reason: SessionReason): boolean {
  return !PROGRESS.has(reason);
}

type Peer = Pick<PeerConfig, "asn" | "holdTime" | "password" | "ttlSecurity">;

/** What to look at, for a session that is not established or not as it was meant; empty where nothing is wrong. */
export function sessionAdvice(peer: Peer, session: SessionStatus, failure: SessionFailure | undefined): string {
  if (session.state === "Established") return raisedHold(peer, session);
  if (failure === undefined) return "";
  return ADVICE[failure.reason]?.(peer, failure) ?? "";
}

function raisedHold({ holdTime }: Peer, { offeredHoldTime }: SessionStatus): string {
  if (offeredHoldTime <= holdTime) return "";
  const [asked, raised] = [formatDuration(holdTime), formatDuration(offeredHoldTime)];
  return `it refuses a hold time of ${asked}, so ${raised} is offered: a frozen host keeps its route that long, unless BFD is spoken`;
}

const MD5 = {
  ours: "or its TCP-MD5 password is missing or another: a router drops such packets without a word",
  none: "or it wants a TCP-MD5 password (peers[].password): a router drops packets without one, and says nothing",
} as const;

const OUR_GTSM = "; or it does not send with TTL 255, which peers[].ttlSecurity asks for";

const GTSM =
  "where one side has GTSM (peers[].ttlSecurity, `ttl security`), it drops what the other sends with a TTL below 255: set it on both or on neither";

const BIRD =
  "BIRD refuses a neighbour for 60 s, doubling to 300 s, after any error: `error wait time 1, 30; error forget time 30`";

const UNREACHABLE = /E(HOST|NET)(UNREACH|DOWN)/;

function silence({ password, ttlSecurity }: Peer): string {
  const key = MD5[password === undefined ? "none" : "ours"];
  const gtsm = ttlSecurity === undefined ? "" : OUR_GTSM;
  return `no answer to the connection request: the router is down or filters us, ${key}${gtsm}`;
}

const ADVICE: Partial<Record<SessionReason, (peer: Peer, failure: SessionFailure) => string>> = {
  "tcp-timeout": silence,
  "tcp-failed": (peer, { detail }) => {
    if (detail.includes("ETIMEDOUT")) return silence(peer); // the kernel's patience, or the dialer's, ended before ours
    if (UNREACHABLE.test(detail))
      return `there is no way to it (${detail}): look at the link, the address and the route`;
    return `the connection is refused (${detail}): no BGP listens there, we are no neighbour of it, or it waits after an error; ${BIRD}`;
  },
  "peer-closed": () =>
    `it closes the connection: we are no neighbour of it at our address, or it waits after an error; ${BIRD}`,
  collision: () =>
    "it still holds our session from before a power cut or a cut wire, and takes a new one when its hold time is over; BFD makes that short",
  "wrong-as": ({ asn }, { detail }) => `${detail}: peers[].asn is ${asn}`,
  "open-timeout": () => `it takes the connection and sends no OPEN; ${GTSM}`,
  "hold-timer-expired": () => `it fell silent; ${GTSM}; else the path or the router has been lost`,
  "send-hold-expired": () =>
    "it took nothing from us for twice the hold time: it hangs, or the path lets only one direction through",
  "peer-shutdown": () => "it was shut down at the router by an operator, whose text is in the journal",
  "prefix-limit": () =>
    "it has a limit of prefixes that we exceed: raise it (stitch router-config prints one that fits)",
  "open-refused-by-peer": (_peer, { detail }) =>
    `it refuses our OPEN (${detail}): compare AS numbers and router ids of both sides`,
  "unacceptable-hold-time": () =>
    `it asks for no hold time, or one below ${formatDuration(seconds(3))}: a dead host would keep its route`,
  "no-common-family": () =>
    "it does not offer an address family that our VIPs need: activate it for us there (stitch router-config)",
  "wrong-router-id": () => "its router id is ours: every speaker needs one of its own, never a VIP",
  "no-router-id": () => "it has no router id: a router that boots has one soon; else give it one of its own",
  "bfd-down": () => "BFD has lost the path: the link, the router's forwarding, or this host stood still",
};
