import { internal, type FamilyPlan, type RouterPlan } from "./plan.ts";
import type { ImportRule } from "./policy.ts";
import { description, PASSWORD, preface } from "./stanza.ts";

/**
 * For bird.conf of BIRD 2. After any error BIRD refuses its neighbour for 60 s, doubling to 300 s, which would keep a site
 * away long after it is well: `error wait time`.
 */
export function birdStanza(plan: RouterPlan): string[] {
  const { router, speaker, holdTime, keepalive, families, rules, bfd } = plan;
  return [
    ...preface(plan, "#"),
    ...families.flatMap((family) => importFilter(plan, family, rules)),
    ...(bfd === undefined ? [] : ["# bird.conf needs one `protocol bfd {}` for all its neighbours"]),
    `protocol bgp ${protocolName(plan)} {`,
    `  description "${description(plan)}";`,
    `  local ${router.address} as ${router.asn};`,
    `  neighbor ${speaker.address} as ${speaker.asn};`,
    ...(internal(plan) ? ["  rr client;"] : []),
    "  passive on;",
    ...protection(plan),
    ...(bfd === undefined ? [] : [`  bfd { interval ${bfd.interval} ms; multiplier ${bfd.multiplier}; };`]),
    `  hold time ${holdTime};`,
    `  keepalive time ${keepalive};`,
    "  graceful restart off;",
    "  error wait time 1, 30;",
    "  error forget time 30;",
    ...families.flatMap((family) => channel(plan, family)),
    "}",
  ];
}

function importFilter(plan: RouterPlan, family: FamilyPlan, rules: readonly ImportRule[]): string[] {
  return [
    `define ${vipSet(plan, family)} = [ ${family.vips.join(", ")} ];`,
    `filter ${filterName(plan, family)} {`,
    `  if net !~ ${vipSet(plan, family)} then reject;`,
    ...rules.flatMap(({ community, largeCommunity, preference }) => {
      if (preference === undefined) return [];
      const set = community === undefined ? "bgp_large_community" : "bgp_community";
      const value = (community ?? largeCommunity ?? "").replaceAll(":", ", ");
      return [`  if (${value}) ~ ${set} then { bgp_local_pref = ${preference}; accept; }`];
    }),
    "  accept;",
    "}",
  ];
}

function channel(plan: RouterPlan, family: FamilyPlan): string[] {
  return [
    `  ${family.family} {`,
    `    import filter ${filterName(plan, family)};`,
    `    import limit ${family.limit} action restart;`,
    `    export where net ~ ${vipSet(plan, family)};`,
    "  };",
  ];
}

/** GTSM counts hops by `multihop` here, and a session over one link is `direct`. */
function protection({ protectedByPassword, ttlSecurity, multihop }: RouterPlan): string[] {
  const hops = multihop ?? (ttlSecurity !== undefined && ttlSecurity > 1 ? ttlSecurity : undefined);
  return [
    ...(protectedByPassword ? [`  password "${PASSWORD}";`] : []),
    ...(ttlSecurity === undefined ? [] : ["  ttl security on;"]),
    ...(hops === undefined ? [] : [`  multihop ${hops};`]),
  ];
}

/** BIRD defines a name once: with two announcers at one router, each has names of its own. */
function vipSet(plan: RouterPlan, { tag }: FamilyPlan): string {
  return `${protocolName(plan)}_${tag}`;
}

function filterName(plan: RouterPlan, family: FamilyPlan): string {
  return `${vipSet(plan, family)}_in`;
}

/** BIRD's symbols are letters, digits and underscores. */
function protocolName({ name }: RouterPlan): string {
  return `stitch_${name.replaceAll(/[^A-Za-z0-9]/g, "_")}`;
}
