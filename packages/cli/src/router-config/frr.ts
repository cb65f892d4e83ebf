import { internal, type RouterPlan } from "./plan.ts";
import {
  block,
  description,
  PASSWORD,
  preface,
  PREFIX_LIST,
  RESTART_AFTER_LIMIT,
  routeMaps,
  type RouteMapDialect,
} from "./stanza.ts";

const FRR: RouteMapDialect = {
  community: (name, value) => `bgp community-list standard ${name} permit ${value}`,
  largeCommunity: (name, value) => `bgp large-community-list standard ${name} permit ${value}`,
  prefixList: PREFIX_LIST,
  indent: " ",
  exit: ["exit"],
};

/** For frr.conf or `vtysh`. Policy on both sides, or FRR's RFC 8212 default takes nothing without a word. */
export function frrStanza(plan: RouterPlan): string[] {
  const { router, speaker, holdTime, keepalive, families, bfd } = plan;
  const neighbor = `neighbor ${speaker.address}`;
  const activated = families.flatMap(({ family, tag, limit }) => [
    `address-family ${family} unicast`,
    ` ${neighbor} activate`,
    ...(internal(plan) ? [` ${neighbor} route-reflector-client`] : []),
    ` ${neighbor} route-map STITCH-IN-${tag} in`,
    ` ${neighbor} route-map STITCH-OUT-${tag} out`,
    ` ${neighbor} maximum-prefix ${limit} restart ${RESTART_AFTER_LIMIT}`,
    "exit-address-family",
  ]);
  const session = [
    `${neighbor} remote-as ${speaker.asn}`,
    `${neighbor} description ${description(plan)}`,
    `${neighbor} passive`,
    `${neighbor} timers ${keepalive} ${holdTime}`,
    `${neighbor} graceful-restart-disable`,
    ...protection(plan, neighbor),
    ...(bfd === undefined ? [] : [`${neighbor} bfd profile STITCH`]),
    ...activated,
  ];
  const profile = ["bfd", ...bfdProfile(plan), "exit"];
  return [
    ...preface(plan, "!"),
    ...routeMaps(plan, FRR),
    ...(bfd === undefined ? [] : profile),
    ...block(`router bgp ${router.asn}`, session, FRR),
  ];
}

function protection({ protectedByPassword, ttlSecurity, multihop }: RouterPlan, neighbor: string): string[] {
  return [
    ...(protectedByPassword ? [`${neighbor} password ${PASSWORD}`] : []),
    ...(ttlSecurity === undefined ? [] : [`${neighbor} ttl-security hops ${ttlSecurity}`]),
    ...(multihop === undefined ? [] : [`${neighbor} ebgp-multihop ${multihop}`]),
  ];
}

function bfdProfile({ bfd }: RouterPlan): string[] {
  if (bfd === undefined) return [];
  const { interval, multiplier } = bfd;
  return [
    " profile STITCH",
    `  detect-multiplier ${multiplier}`,
    `  receive-interval ${interval}`,
    `  transmit-interval ${interval}`,
    " exit",
  ];
}
