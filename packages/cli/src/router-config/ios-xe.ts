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

const IOS_XE: RouteMapDialect = {
  community: (name, value) => `ip community-list standard ${name} permit ${value}`,
  largeCommunity: (name, value) => `ip large-community-list standard ${name} permit ${value}`,
  prefixList: PREFIX_LIST,
  indent: " ",
  exit: ["!"],
};

/** Cisco IOS-XE. Communities are written as two numbers only with `new-format`. */
export function iosXeStanza(plan: RouterPlan): string[] {
  const { router, speaker, holdTime, keepalive, families } = plan;
  const neighbor = `neighbor ${speaker.address}`;
  const activated = families.flatMap(({ family, tag, limit }) => [
    family === "ipv4" ? "address-family ipv4" : "address-family ipv6 unicast",
    ` ${neighbor} activate`,
    ...(internal(plan) ? [` ${neighbor} route-reflector-client`] : []),
    ` ${neighbor} send-community both`,
    ` ${neighbor} route-map STITCH-IN-${tag} in`,
    ` ${neighbor} route-map STITCH-OUT-${tag} out`,
    ` ${neighbor} maximum-prefix ${limit} restart ${RESTART_AFTER_LIMIT}`,
    "exit-address-family",
  ]);
  const session = [
    `${neighbor} remote-as ${speaker.asn}`,
    `${neighbor} description ${description(plan)}`,
    `${neighbor} transport connection-mode passive`,
    `${neighbor} timers ${keepalive} ${holdTime}`,
    `${neighbor} ha-mode graceful-restart disable`,
    ...protection(plan, neighbor),
    ...activated,
  ];
  return [
    ...preface(plan, "!"),
    ...bfdRemark(plan, "min_rx"),
    "ip bgp-community new-format",
    ...routeMaps(plan, IOS_XE),
    ...block(`router bgp ${router.asn}`, session, IOS_XE),
  ];
}

function protection({ bfd, protectedByPassword, ttlSecurity, multihop }: RouterPlan, neighbor: string): string[] {
  return [
    ...(protectedByPassword ? [`${neighbor} password ${PASSWORD}`] : []),
    ...(ttlSecurity === undefined ? [] : [`${neighbor} ttl-security hops ${ttlSecurity}`]),
    ...(multihop === undefined ? [] : [`${neighbor} ebgp-multihop ${multihop}`]),
    ...(bfd === undefined ? [] : [`${neighbor} fall-over bfd`]),
  ];
}
