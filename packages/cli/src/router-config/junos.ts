import { internal, type FamilyPlan, type RouterPlan } from "./plan.ts";
import type { ImportRule } from "./policy.ts";
import { description, PASSWORD, preface, RESTART_AFTER_LIMIT } from "./stanza.ts";

/** Junos configures no shorter one, but takes a shorter offer: the lower of the two sides counts. */
const SHORTEST_HOLD = 20;

/**
 * Junos, as `set` commands. It does not send a path to a neighbour whose AS is in it, unless told (advertise-peer-as):
 * sites that share our AS would never be seen by the last-origin guard.
 */
export function junosStanza(plan: RouterPlan): string[] {
  const { router, speaker, holdTime, families, rules } = plan;
  const neighbor = `set protocols bgp group STITCH neighbor ${speaker.address}`;
  return [
    ...preface(plan, "#"),
    ...families.flatMap(({ tag, vips }) => vips.map((vip) => `set policy-options prefix-list STITCH-${tag} ${vip}`)),
    ...rules.flatMap(communityLine),
    ...families.flatMap((family) => policies(family, rules)),
    `set protocols bgp group STITCH type ${internal(plan) ? "internal" : "external"}`,
    ...(internal(plan) ? [`set protocols bgp group STITCH cluster ${router.address}`] : []),
    `${neighbor} description "${description(plan)}"`,
    ...(internal(plan) ? [] : [`${neighbor} peer-as ${speaker.asn}`]),
    `${neighbor} passive`,
    `${neighbor} hold-time ${Math.max(SHORTEST_HOLD, holdTime)}`,
    `${neighbor} graceful-restart disable`,
    ...(internal(plan) ? [] : [`${neighbor} advertise-peer-as`]),
    ...protection(plan, neighbor),
    `${neighbor} import [ ${families.map(({ tag }) => `STITCH-IN-${tag}`).join(" ")} STITCH-REFUSE ]`,
    `${neighbor} export [ ${families.map(({ tag }) => `STITCH-OUT-${tag}`).join(" ")} STITCH-REFUSE ]`,
    "set policy-options policy-statement STITCH-REFUSE then reject",
    ...families.map(({ family, limit }) => {
      const name = family === "ipv4" ? "inet" : "inet6";
      return `${neighbor} family ${name} unicast prefix-limit maximum ${limit} teardown idle-timeout ${RESTART_AFTER_LIMIT}`;
    }),
  ];
}

function protection({ bfd, protectedByPassword, ttlSecurity, multihop }: RouterPlan, neighbor: string): string[] {
  return [
    ...(ttlSecurity === undefined
      ? []
      : [`# GTSM: a firewall filter on the interface must drop TTLs below ${256 - ttlSecurity}; we send with 255`]),
    ...(protectedByPassword ? [`${neighbor} authentication-key "${PASSWORD}"`] : []),
    ...(multihop === undefined ? [] : [`${neighbor} multihop ttl ${multihop}`]),
    ...(bfd === undefined
      ? []
      : [
          `${neighbor} bfd-liveness-detection minimum-interval ${bfd.interval}`,
          `${neighbor} bfd-liveness-detection multiplier ${bfd.multiplier}`,
        ]),
  ];
}

function communityLine({ name, community, largeCommunity }: ImportRule): string[] {
  const members = community ?? (largeCommunity === undefined ? undefined : `large:${largeCommunity}`);
  return members === undefined ? [] : [`set policy-options community STITCH-${name} members ${members}`];
}

/** Junos tries the policies of a list one after the other, so each leaves other families alone. */
function policies({ tag }: FamilyPlan, rules: readonly ImportRule[]): string[] {
  const terms = rules.flatMap(({ name, community, largeCommunity, preference }) => {
    const term = `set policy-options policy-statement STITCH-IN-${tag} term ${name}`;
    return [
      `${term} from prefix-list STITCH-${tag}`,
      ...(community === undefined && largeCommunity === undefined ? [] : [`${term} from community STITCH-${name}`]),
      ...(preference === undefined ? [] : [`${term} then local-preference ${preference}`]),
      `${term} then accept`,
    ];
  });
  const out = `set policy-options policy-statement STITCH-OUT-${tag} term VIPS`;
  return [...terms, `${out} from protocol bgp`, `${out} from prefix-list STITCH-${tag}`, `${out} then accept`];
}
