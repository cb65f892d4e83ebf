import type { AnnouncerConfig } from "@stitch/announcer";
import type { Family } from "@stitch/bgp-speaker";
import { importRules, type ImportRule } from "./policy.ts";

/** VIPs that are added later must not end the session before the router has heard of them. */
const LIMIT_HEADROOM = 8;

/** The VIPs of one address family, and how many routes the router takes before it takes us for mad. */
export interface FamilyPlan {
  readonly family: Family;
  /** `V4` or `V6`, for the names of lists. */
  readonly tag: "V4" | "V6";
  readonly vips: readonly string[];
  readonly limit: number;
}

/** What one router is to be told about one announcer, before it is put into a vendor's words. */
export interface RouterPlan {
  /** Site and instance. */
  readonly name: string;
  readonly router: { readonly address: string; readonly asn: number };
  /** `assumed`: the address is not in site.yaml, where the system chooses it. */
  readonly speaker: { readonly address: string; readonly asn: number; readonly assumed: boolean };
  /** Whole seconds. */
  readonly holdTime: number;
  readonly keepalive: number;
  /** Milliseconds; undefined where site.yaml asks for no BFD. */
  readonly bfd: { readonly interval: number; readonly multiplier: number } | undefined;
  /** The file has a TCP-MD5 password, which no stanza repeats. */
  readonly protectedByPassword: boolean;
  /** GTSM: most hops between the two. */
  readonly ttlSecurity: number | undefined;
  /** The session goes over several hops. */
  readonly multihop: number | undefined;
  readonly families: readonly FamilyPlan[];
  readonly rules: readonly ImportRule[];
}

type PeerConfig = AnnouncerConfig["peers"][number];

export interface PlanIdentity {
  readonly site: string;
  readonly instance: string;
}

/** The plan for `peer`; undefined when no setting tells from which address it is spoken to. */
export function planOf(
  { site, instance }: PlanIdentity,
  config: AnnouncerConfig,
  peer: PeerConfig,
): RouterPlan | undefined {
  const speaker = speakerAddress(config, peer);
  if (speaker === undefined) return undefined;
  const holdTime = peer.holdTime / 1_000;
  return {
    name: `${site}/${instance}`,
    router: { address: peer.address, asn: peer.asn },
    speaker: { ...speaker, asn: config.asn },
    holdTime,
    keepalive: Math.max(1, Math.floor(holdTime / 3)),
    bfd: peer.bfd,
    protectedByPassword: peer.password !== undefined,
    ttlSecurity: peer.ttlSecurity,
    multihop: peer.multihop,
    families: familiesOf(config),
    rules: importRules(config),
  };
}

export function internal({ router, speaker }: RouterPlan): boolean {
  return router.asn === speaker.asn;
}

function speakerAddress(
  { routerId }: AnnouncerConfig,
  { address, localAddress, nextHop }: PeerConfig,
): { readonly address: string; readonly assumed: boolean } | undefined {
  if (localAddress !== undefined) return { address: localAddress, assumed: false };
  const version6 = address.includes(":");
  if (nextHop !== undefined && nextHop.includes(":") === version6) return { address: nextHop, assumed: true };
  return version6 ? undefined : { address: routerId, assumed: true };
}

function familiesOf({ vips }: AnnouncerConfig): FamilyPlan[] {
  return (["ipv4", "ipv6"] as const).flatMap((family): FamilyPlan[] => {
    const own = vips.flatMap(({ prefix: { family: of, address, length } }) =>
      of === family ? [`${address}/${length}`] : [],
    );
    const tag = family === "ipv4" ? "V4" : "V6";
    return own.length === 0 ? [] : [{ family, tag, vips: own, limit: own.length + LIMIT_HEADROOM }];
  });
}
