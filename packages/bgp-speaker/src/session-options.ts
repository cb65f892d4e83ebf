import type { Clock, Duration } from "@stitch/clock";

import { MAX_WATCHED_ALL, type ReceivedPath } from "./adj-rib-in.ts";
import type { NextHops } from "./advertisement.ts";
import type { SessionState } from "./fsm.ts";
import { DEFAULT_HOLD_TIME, MAX_HOLD_TIME, MIN_HOLD_TIME } from "./negotiate.ts";
import type { SessionReason } from "./reasons.ts";
import type { NotificationView } from "./status.ts";
import type { Transport } from "./transport.ts";
import { addressFamily, type Family } from "./wire/address.ts";
import type { LargeCommunity } from "./wire/community.ts";
import type { Prefix } from "./wire/prefix.ts";

export interface PeerOptions {
  /** IPv4 or IPv6 address; names are refused, because BGP must work with DNS down. */
  readonly address: string;
  /** Default 179. */
  readonly port?: number;
  /** The AS the peer must be in; `any` accepts whatever it says (a route monitor, tests). */
  readonly asn: number | "any";
  /** Offered hold time, whole seconds from 3 to 65535. Default 9 s. */
  readonly holdTime?: Duration;
  /** Address to connect from; by default the system's choice. */
  readonly localAddress?: string;
  /** TCP-MD5 password (RFC 2385), 1 to 80 octets. The transport must be able to set it; so for the two below. */
  readonly password?: string;
  /** TTL of what is sent, 1 to 255: a peer several hops away (multihop). Default: the system's, usually 64. */
  readonly ttl?: number;
  /** GTSM (RFC 5082): the peer is at most this many hops away, 1 for the same link. Sends with TTL 255. */
  readonly ttlSecurity?: number;
  /** Wait to be connected to, instead of connecting. Default false. */
  readonly passive?: boolean;
}

export interface LocalOptions {
  readonly asn: number;
  /** BGP identifier in dotted-quad form, unique in the network; never an anycast address. */
  readonly routerId: string;
}

export type SessionEvent =
  | {
      readonly kind: "state";
      readonly from: SessionState;
      readonly to: SessionState;
      readonly reason: SessionReason;
      readonly detail: string;
    }
  /** The bytes are in the kernel's hands. */
  | { readonly kind: "update-sent"; readonly announced: readonly Prefix[]; readonly withdrawn: readonly Prefix[] }
  /** The peer's path for a watched prefix changed; undefined: it has none any more. */
  | { readonly kind: "path"; readonly prefix: Prefix; readonly path: ReceivedPath | undefined }
  | ({ readonly kind: "notification" } & NotificationView)
  /** Our own process was late by more than a sixth of the hold time: at this rate the peer will give the session up. */
  | { readonly kind: "late"; readonly lag: Duration; readonly holdTime: Duration };

export interface SessionOptions {
  readonly peer: PeerOptions;
  readonly local: LocalOptions;
  readonly clock: Clock;
  readonly transport: Transport;
  /** Uniform in [0, 1), for jitter. */
  readonly random: () => number;
  /** Prefixes whose paths at the peer are reported; at most MAX_WATCHED. */
  readonly watch?: readonly Prefix[];
  /** Report the path of every prefix, up to this many. Default 0: watched ones only. */
  readonly watchAll?: number;
  /** Put on every advertisement, and looked for in what the peer sends: so our own echo is known. */
  readonly mark?: LargeCommunity;
  /** Next hops of families that the session's own address is not of; an advertisement's own comes first. */
  readonly nextHops?: NextHops;
  /** Families to offer. Default IPv4 unicast. */
  readonly families?: readonly Family[];
  readonly onEvent: (event: SessionEvent) => void;
}

export const BGP_PORT = 179;
export const DEFAULT_FAMILIES: readonly Family[] = ["ipv4"];

type Checked = Pick<SessionOptions, "peer" | "local" | "families" | "watchAll" | "nextHops" | "mark">;

/** Throws RangeError, naming the value, when a session cannot be had with these options. */
export function checkOptions(options: Checked): void {
  const { peer, local, families = DEFAULT_FAMILIES, watchAll = 0, nextHops = {}, mark } = options;
  checkPeer(peer);
  checkSocket(peer);
  if (addressFamily(local.routerId) !== "ipv4" || local.routerId === "0.0.0.0") {
    throw new RangeError(`router id ${local.routerId} is not a dotted quad other than 0.0.0.0`);
  }
  if (!isAsn(local.asn)) throw new RangeError(`local AS ${local.asn} is not a number from 1 to 4294967295`);
  if (families.length === 0) throw new RangeError("no address family to offer");
  if (!(watchAll >= 0 && watchAll <= MAX_WATCHED_ALL))
    throw new RangeError(`watchAll ${watchAll} is not a number of prefixes from 0 to ${MAX_WATCHED_ALL}`);
  for (const family of ["ipv4", "ipv6"] as const) {
    const hop = nextHops[family];
    if (hop !== undefined && addressFamily(hop) !== family)
      throw new RangeError(`next hop ${hop} is not an ${family} address`);
  }
  const words = mark === undefined ? [] : [mark.global, mark.local1, mark.local2];
  for (const word of words) whole("mark", word, 0, 0xffff_ffff);
}

function checkPeer({ address, port = BGP_PORT, asn, localAddress, holdTime = DEFAULT_HOLD_TIME }: PeerOptions): void {
  const family = addressFamily(address);
  if (family === undefined) throw new RangeError(`peer address ${address} is not an IP address`);
  if (localAddress !== undefined && addressFamily(localAddress) !== family) {
    throw new RangeError(`local address ${localAddress} is not an IP address of the family of ${address}`);
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new RangeError(`peer port ${port} is not a port`);
  if (asn !== "any" && !isAsn(asn)) throw new RangeError(`peer AS ${asn} is not a number from 1 to 4294967295`);
  if (holdTime < MIN_HOLD_TIME || holdTime > MAX_HOLD_TIME || holdTime % 1_000 !== 0) {
    throw new RangeError(`hold time ${holdTime} ms is not whole seconds from 3 to 65535`);
  }
}

/** The kernel takes keys of 1 to 80 octets. */
const LONGEST_PASSWORD = 80;

function checkSocket({ address, password, ttl, ttlSecurity, passive }: PeerOptions): void {
  if (ttl !== undefined) whole(`peer ${address}: ttl`, ttl, 1, 255);
  if (ttlSecurity !== undefined) whole(`peer ${address}: ttlSecurity`, ttlSecurity, 1, 255);
  // Never the password itself: errors end in logs.
  if (password !== undefined)
    whole(`peer ${address}: octets of the password`, new TextEncoder().encode(password).length, 1, LONGEST_PASSWORD);
  if (ttl !== undefined && ttlSecurity !== undefined)
    throw new RangeError(`peer ${address}: ttlSecurity sends with TTL 255, so ttl cannot be ${ttl}`);
  if (passive === true && (password ?? ttl ?? ttlSecurity) !== undefined)
    throw new RangeError(`peer ${address}: password, ttl and ttlSecurity are for sessions that connect`);
}

function whole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} ${value} is not a whole number from ${least} to ${most}`);
}

function isAsn(asn: number): boolean {
  return Number.isInteger(asn) && asn > 0 && asn <= 0xffff_ffff;
}
