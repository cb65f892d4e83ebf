import { isIP } from "node:net";
import { formatDuration, milliseconds, seconds, type Duration } from "@stitch/clock";
import {
  asNumber,
  ConfigError,
  duration,
  hostPort,
  prefix,
  routerId,
  section,
  type Problem,
  type SiteDocument,
} from "@stitch/config";
import { DRAIN_LIMIT } from "@stitch/health";
import { z } from "zod";
import { peerContradictions, peerSection } from "./config/peer.ts";
import { leasesIn } from "./check/describe.ts";
import { checkSection } from "./config/checks.ts";
import { dampingSection } from "./config/damping.ts";
import { siblingsSetting, trafficSection } from "./config/evidence.ts";
import { remoteContradictions, remoteSection } from "./config/remote.ts";
import { hostOf } from "./config/targets.ts";

export type { PeerConfig } from "./config/peer.ts";

/** A stopping service serves until DRAIN_LIMIT; the withdrawal must have left before, the guard's rounds included. */
const LONGEST_DRAIN: Duration = milliseconds(DRAIN_LIMIT - 5_000);

const vipSection = section({
  prefix: prefix(),
  /** Name for people and for `stitch drain`. */
  service: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "a short lower-case name such as dns"),
  check: checkSection(),
  /** Good checks in a row before the route is announced. */
  rise: z.number().int().min(1).max(1_000).default(3),
  /** Failed polls in a row before the route is withdrawn; a lost lease withdraws at once. */
  fall: z.number().int().min(1).max(1_000).default(3),
  /** Least time between a withdrawal for cause and the next announcement. */
  holdDown: duration().default(seconds(3)),
  /** Repeated falls lengthen the hold-down. */
  damping: dampingSection.prefault({}),
  /** The service's own packet counter: whether clients have left. */
  traffic: trafficSection.optional(),
  siblings: siblingsSetting,
  /** How the service is asked through the VIP after each change; it proves, and decides nothing. */
  proof: checkSection(0).optional(),
});

const drainSection = section({
  /** How long the last resort is advertised before a planned withdrawal. */
  time: duration().default(seconds(5)),
  /** When a planned stop withdraws even without proof of another origin. */
  max: duration().default(seconds(60)),
});

/** 0 to 4 have meanings of their own in the kernel (RTPROT_STATIC is 4), and a daemon's number would hide our routes. */
const PROTOCOLS = { least: 5, most: 255 } as const;

const kernelSection = section({
  /** Routing protocol number of our routes in the kernel's main table. */
  protocol: z.number().int().min(PROTOCOLS.least).max(PROTOCOLS.most).default(199),
  /** Silence of the announcer after which its watchdog takes the routes away. */
  watchdog: duration({ min: seconds(1), max: seconds(60) }).default(seconds(3)),
});

export const announcerSection = section({
  asn: asNumber(),
  routerId: routerId(),
  /** Path of the control socket. */
  control: z.string().min(1).default("/run/stitch/announcer.sock"),
  /** Path of the journal; default: beside the control socket. */
  journal: z.string().min(1).optional(),
  /** Where siblings may ask whether this site announces a VIP; nowhere without it. */
  health: hostPort().optional(),
  /** The control socket's questions and orders by HTTP, for who has the token; nowhere without it. */
  remote: remoteSection.optional(),
  drain: drainSection.prefault({}),
  peers: z.array(peerSection).max(16).default([]),
  /** Announces by routes in the kernel, for FRR or BIRD on this machine, besides or instead of `peers`. */
  kernel: kernelSection.optional(),
  vips: z.array(vipSection).min(1).max(64),
});

export type AnnouncerConfig = z.infer<typeof announcerSection>;
export type VipConfig = AnnouncerConfig["vips"][number];

/** The announcer's part of site.yaml, with what only several settings together can show. Throws ConfigError. */
export function announcerConfig(document: SiteDocument): AnnouncerConfig {
  const config = document.section("announcer", announcerSection);
  const problems = crossCheck(document, config);
  if (problems.length > 0) throw new ConfigError(document.file, problems);
  return config;
}

type Complain = (path: readonly PropertyKey[], message: string) => void;

function crossCheck(document: SiteDocument, config: AnnouncerConfig): Problem[] {
  const problems: Problem[] = [];
  const at: Complain = (path, message) => void problems.push(document.problemAt(["announcer", ...path], message));
  for (const i of config.vips.keys()) checkVip(config, i, at);
  for (const i of config.peers.keys()) checkPeer(config, i, at);
  if (config.peers.length === 0 && config.kernel === undefined) {
    at(["peers"], "names no router, and there is no kernel speaker (announcer.kernel) either; announce by one of them");
  }
  if (config.health !== undefined && isVip(config.vips, config.health.address))
    at(["health"], `${config.health.address} is a VIP; siblings must reach this very site`);
  if (config.remote !== undefined && isVip(config.vips, config.remote.listen.address))
    at(["remote", "listen"], `${config.remote.listen.address} is a VIP; an order must reach this very site`);
  for (const [setting, why] of config.remote === undefined ? [] : remoteContradictions(config.remote))
    at(["remote", setting], why);
  const { time, max } = config.drain;
  if (time > max) at(["drain", "max"], "is shorter than drain.time");
  if (max > LONGEST_DRAIN) {
    const waits = formatDuration(DRAIN_LIMIT);
    at(
      ["drain", "max"],
      `is too long: a service waits ${waits} for its route to leave; ${formatDuration(LONGEST_DRAIN)} or less`,
    );
  }
  return problems;
}

function checkVip({ routerId: id, vips }: AnnouncerConfig, i: number, at: Complain): void {
  const vip = vips[i];
  if (vip === undefined) return;
  const { prefix: block, service, check } = vip;
  if (block.address === id) at(["routerId"], `"${id}" is a VIP; every site has it, so routers would reject it`);
  for (const host of leasesIn(check).map(hostOf)) {
    if (!isVip(vips, host)) continue;
    const where = check.kind === "lease" ? ["vips", i, "check", "lease"] : ["vips", i, "check"];
    at(where, `${host} is a VIP; without its address here, the answer would be another site's`);
  }
  for (const [j, url] of vip.siblings.entries()) {
    if (isVip(vips, hostOf(url))) at(["vips", i, "siblings", j], `${hostOf(url)} is a VIP, which may be answered here`);
  }
  if (vip.proof?.kind === "lease")
    at(["vips", i, "proof"], "a lease does not come through the VIP; name dns, ntp, http, tcp, syslog or exec");
  if (service === "all") at(["vips", i, "service"], '"all" means every VIP; choose another name');
  if (vips.findIndex(sameVip(vip)) < i) at(["vips", i, "prefix"], "this VIP is listed twice");
  if (vips.findIndex((other) => other.service === service && other.prefix.family === block.family) < i) {
    at(["vips", i, "service"], `another VIP is called "${service}" too; drain and explain need one name each`);
  }
}

function checkPeer({ peers, vips }: AnnouncerConfig, i: number, at: Complain): void {
  const peer = peers[i];
  if (peer === undefined) return;
  const { address, port, holdTime, localAddress, nextHop, bfd } = peer;
  if (peers.findIndex((other) => other.address === address && other.port === port) < i) {
    at(["peers", i, "address"], "this peer is listed twice");
  }
  const watched = peers.findIndex((other) => other.address === address && other.bfd !== undefined);
  if (bfd !== undefined && watched < i)
    at(
      ["peers", i, "bfd"],
      `another peer at ${address} has it already; BFD watches an address once, leave it out here`,
    );
  for (const [setting, message] of peerContradictions(peer)) at(["peers", i, setting], message);
  if (holdTime % 1_000 !== 0) at(["peers", i, "holdTime"], "BGP counts hold time in whole seconds");
  for (const [name, own] of Object.entries({ localAddress, nextHop })) {
    if (own === undefined) continue;
    if (isVip(vips, own)) at(["peers", i, name], `${own} is a VIP; use this machine's own address`);
    if (!canBeHost(own)) at(["peers", i, name], `${own} is no machine's address; routers would reject the route`);
  }
  if (localAddress !== undefined && isIP(localAddress) !== isIP(address)) {
    at(["peers", i, "localAddress"], `must be of the same family as the peer's address ${address}`);
  }
  for (const family of new Set(vips.map(({ prefix: block }) => block.family))) {
    const version = family === "ipv4" ? 4 : 6;
    if (isIP(address) === version || isIP(nextHop ?? "") === version) continue;
    at(
      ["peers", i],
      `has no ${family} next hop for the ${family} VIPs: set nextHop to this machine's ${family} address`,
    );
  }
}

/** Unspecified, broadcast and multicast addresses are nobody's next hop (RFC 4271 section 6.3). */
function canBeHost(address: string): boolean {
  if (isIP(address) === 6) return address !== "::" && !/^ff/i.test(address);
  const first = Number(address.split(".")[0]);
  return first > 0 && first < 224;
}

function isVip(vips: AnnouncerConfig["vips"], address: string): boolean {
  return vips.some(({ prefix: block }) => block.address === address);
}

function sameVip({ prefix: vip }: VipConfig): (other: VipConfig) => boolean {
  return ({ prefix: other }) => other.address === vip.address && other.length === vip.length;
}
