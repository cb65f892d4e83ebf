import { internal, type RouterPlan } from "./plan.ts";
import {
  bfdRemark,
  block,
  description,
  PASSWORD,
  preface,
  PREFIX_LIST,
  RESTART_AFTER_LIMIT,
  routeMaps,
  type RouteMapDialect,
} from "./stanza.ts";

const NX_OS: RouteMapDialect = {
  community: (name, value) => `ip community-list standard ${name} seq 10 permit ${value}`,
  largeCommunity: (name, value) => `ip large-community-list standard ${name} seq 10 permit ${value}`,
  prefixList: PREFIX_LIST,
  indent: "  ",
  exit: [],
};

/**
 * Cisco NX-OS. It does not send a path to a neighbour whose AS is in it, unless told: sites that share our AS would never
 * be seen by the last-origin guard.
 */
export function nxOsStanza(plan: RouterPlan): string[] {
  const { router, speaker, holdTime, keepalive, families } = plan;
  const activated = families.flatMap(({ family, tag, limit }) => [
    `address-family ${family} unicast`,
    "  send-community both",
    "  disable-peer-as-check",
    ...(internal(plan) ? ["  route-reflector-client"] : []),
    `  route-map STITCH-IN-${tag} in`,
    `  route-map STITCH-OUT-${tag} out`,
    `  maximum-prefix ${limit} restart ${RESTART_AFTER_LIMIT}`,
  ]);
  const neighbor = [
    `remote-as ${speaker.asn}`,
    `description ${description(plan)}`,
    "transport connection-mode passive",
    `timers ${keepalive} ${holdTime}`,
    ...protection(plan),
    ...activated,
  ];
  const session = [`neighbor ${speaker.address}`, ...neighbor.map((line) => `  ${line}`)];
  return [
    ...preface(plan, "!"),
    ...bfdRemark(plan, "min_rx"),
    "feature bgp",
    ...(plan.bfd === undefined ? [] : ["feature bfd"]),
    ...routeMaps(plan, NX_OS),
    ...block(`router bgp ${router.asn}`, session, NX_OS),
  ];
}

function protection({ bfd, protectedByPassword, ttlSecurity, multihop }: RouterPlan): string[] {
  return [
    ...(protectedByPassword ? [`password ${PASSWORD}`] : []),
    ...(ttlSecurity === undefined ? [] : [`ttl-security hops ${ttlSecurity}`]),
    ...(multihop === undefined ? [] : [`ebgp-multihop ${multihop}`]),
    ...(bfd === undefined ? [] : ["bfd"]),
  ];
}
