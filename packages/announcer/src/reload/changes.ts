import { formatPrefix } from "@stitch/bgp-speaker";
import { seconds } from "@stitch/clock";
import type { AnnouncerConfig, PeerConfig, VipConfig } from "../config.ts";

/** What is known of the running announcer when it is given another configuration. */
export interface Running {
  readonly config: AnnouncerConfig;
  /** VIPs that routers hear of, by prefix text. */
  readonly announced: ReadonlySet<string>;
  readonly stopping: boolean;
}

export type Change =
  /** Nothing is changed, and why not, one sentence each. */
  | { readonly kind: "refused"; readonly problems: readonly string[] }
  /** What is different now, one phrase each; empty when the file says what it said. */
  | { readonly kind: "accepted"; readonly changes: readonly string[] };

/** What only a restart changes: identity of the sessions, or where people look for us. */
const FIXED = [
  "asn",
  "routerId",
  "control",
  "journal",
  "health",
  "remote",
  "kernel",
] as const satisfies readonly (keyof AnnouncerConfig)[];

/**
 * Whether a running announcer may take `next`, and what it would change. A VIP that routers hear of is never taken away
 * by a reload: that is a planned withdrawal, which the last-origin guard must be asked about by a drain.
 */
export function changeTo({ config, announced, stopping }: Running, next: AnnouncerConfig): Change {
  const problems = stopping
    ? ["the announcer is stopping"]
    : [...fixedProblems(config, next), ...removedProblems(config, next, announced)];
  if (problems.length > 0) return { kind: "refused", problems };
  return {
    kind: "accepted",
    changes: [...vipChanges(config, next), ...peerChanges(config, next), ...drainChange(config, next)],
  };
}

export function peerName({ address, port }: PeerConfig): string {
  return `${address} port ${port}`;
}

/** Settings have no functions in them, and their order is that of the schema. */
export function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** A check counts its misses itself, so `fall` is a part of it. */
export function sameCheck(one: VipConfig, other: VipConfig): boolean {
  return same([one.check, one.fall], [other.check, other.fall]);
}

/** What can be changed under a living session; anything else needs a new one. */
export function sameSession(one: PeerConfig, other: PeerConfig): boolean {
  return same(ofSession(one), ofSession(other));
}

function ofSession(peer: PeerConfig): PeerConfig {
  return { ...peer, nextHop: undefined, bfd: undefined, advertisementInterval: seconds(0) };
}

function fixedProblems(config: AnnouncerConfig, next: AnnouncerConfig): string[] {
  const fixed = FIXED.filter((name) => !same(config[name], next[name]));
  const problems = fixed.map((name) => `announcer.${name} cannot be changed while the announcer runs; restart it`);
  if (hasIpv6(next) && !hasIpv6(config))
    problems.push("announcer.vips: the first IPv6 VIP changes what every session offers; restart the announcer");
  return problems;
}

function hasIpv6({ vips }: AnnouncerConfig): boolean {
  return vips.some(({ prefix }) => prefix.family === "ipv6");
}

function removedProblems(config: AnnouncerConfig, next: AnnouncerConfig, announced: ReadonlySet<string>): string[] {
  return removed(config.vips, next.vips, vipName)
    .filter((vip) => announced.has(vipName(vip)))
    .map((vip) => `${vipName(vip)} is announced; drain it first (stitch drain ${vip.service}), then take it out`);
}

function vipChanges({ vips }: AnnouncerConfig, next: AnnouncerConfig): string[] {
  const before = new Map(vips.map((vip) => [vipName(vip), vip]));
  return [
    ...removed(vips, next.vips, vipName).map((vip) => `without ${titleOf(vip)}`),
    ...next.vips.flatMap((vip) => {
      const old = before.get(vipName(vip));
      if (old === undefined) return [`with ${titleOf(vip)}`];
      if (!sameCheck(old, vip)) return [`${titleOf(vip)} by another check`];
      return same(old, vip) ? [] : [`${titleOf(vip)} by another policy`];
    }),
  ];
}

function peerChanges({ peers }: AnnouncerConfig, next: AnnouncerConfig): string[] {
  const before = new Map(peers.map((peer) => [peerName(peer), peer]));
  return [
    ...removed(peers, next.peers, peerName).map((peer) => `without peer ${peerName(peer)}`),
    ...next.peers.flatMap((peer) => {
      const old = before.get(peerName(peer));
      if (old === undefined) return [`with peer ${peerName(peer)}`];
      if (!sameSession(old, peer)) return [`peer ${peerName(peer)} by a new session`];
      return same(old, peer) ? [] : [`peer ${peerName(peer)} by other settings, in the same session`];
    }),
  ];
}

function drainChange({ drain }: AnnouncerConfig, next: AnnouncerConfig): string[] {
  return same(drain, next.drain) ? [] : ["another drain"];
}

function removed<T>(before: readonly T[], after: readonly T[], nameOf: (each: T) => string): T[] {
  const stays = new Set(after.map(nameOf));
  return before.filter((each) => !stays.has(nameOf(each)));
}

function vipName({ prefix }: VipConfig): string {
  return formatPrefix(prefix);
}

function titleOf(vip: VipConfig): string {
  return `${vipName(vip)} (${vip.service})`;
}
