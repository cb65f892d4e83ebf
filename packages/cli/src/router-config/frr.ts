import { internal, type RouterPlan } from "./plan.ts";
import { block, description, preface, RESTART_AFTER_LIMIT, routeMaps, type RouteMapDialect } from "./stanza.ts";

const FRR: RouteMapDialect = {
  community: (name, value) => `bgp community-list standard ${name} permit ${value}`,
  largeCommunity: (name, value) => `bgp large-community-list standard ${name} permit ${value}`,
  matchLargeCommunity: (name) => `match large-community ${name}`,
  prefixList: (family, name) => ({
    head: "",
    entry: (seq, prefix) => `${family === "ipv4" ? "ip" : "ipv6"} prefix-list ${name} seq ${seq} permit ${prefix}`,
  }),
  indent: " ",
  exit: ["exit"],
};

/** For frr.conf or `vtysh`. Policy on both sides, or FRR's RFC 8212 default takes nothing without a word. */
export function frrStanza(plan: RouterPlan): string[] {
  const { router, speaker, holdTime, keepalive, families } = plan;
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
    ...activated,
  ];
  return [...preface(plan, "!"), ...routeMaps(plan, FRR), ...block(`router bgp ${router.asn}`, session, FRR)];
}
