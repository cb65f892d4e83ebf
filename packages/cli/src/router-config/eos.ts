import { internal, type RouterPlan } from "./plan.ts";
import { block, description, PASSWORD, preface, bfdRemark, routeMaps, type RouteMapDialect } from "./stanza.ts";

const EOS: RouteMapDialect = {
  community: (name, value) => `ip community-list ${name} permit ${value}`,
  largeCommunity: (name, value) => `ip large-community-list ${name} permit ${value}`,
  prefixList: (family, name) => ({
    head: `${family === "ipv4" ? "ip" : "ipv6"} prefix-list ${name}`,
    entry: (seq, prefix) => `   seq ${seq} permit ${prefix}`,
  }),
  indent: "   ",
  exit: ["!"],
};

/** Arista EOS. */
export function eosStanza(plan: RouterPlan): string[] {
  const { router, speaker, holdTime, keepalive, families } = plan;
  const neighbor = `neighbor ${speaker.address}`;
  const activated = families.flatMap(({ family, tag }) => [
    `address-family ${family}`,
    `   ${neighbor} activate`,
    `   ${neighbor} route-map STITCH-IN-${tag} in`,
    `   ${neighbor} route-map STITCH-OUT-${tag} out`,
    "!",
  ]);
  // The limit is one for all families of a session here.
  const limit = families.reduce((sum, family) => sum + family.limit, 0);
  const session = [
    `${neighbor} remote-as ${speaker.asn}`,
    `${neighbor} description ${description(plan)}`,
    ...(internal(plan) ? [`${neighbor} route-reflector-client`] : []),
    `${neighbor} transport connection-mode passive`,
    `${neighbor} timers ${keepalive} ${holdTime}`,
    `${neighbor} send-community standard large`,
    `${neighbor} maximum-routes ${limit}`,
    ...protection(plan, neighbor),
    ...activated,
  ];
  return [
    ...preface(plan, "!"),
    ...bfdRemark(plan, "min-rx"),
    ...routeMaps(plan, EOS),
    ...block(`router bgp ${router.asn}`, session, EOS),
  ];
}

function protection({ bfd, protectedByPassword, ttlSecurity, multihop }: RouterPlan, neighbor: string): string[] {
  return [
    ...(protectedByPassword ? [`${neighbor} password 0 ${PASSWORD}`] : []),
    ...(ttlSecurity === undefined ? [] : [`${neighbor} ttl maximum-hops ${ttlSecurity}`]),
    ...(multihop === undefined ? [] : [`${neighbor} ebgp-multihop ${multihop}`]),
    ...(bfd === undefined ? [] : [`${neighbor} bfd`]),
  ];
}
