import { internal, type FamilyPlan, type RouterPlan } from "./plan.ts";

/** Minutes after which a router that has cut us off for too many routes tries again by itself. */
export const RESTART_AFTER_LIMIT = 5;

/** The dialect of a router whose policy is made of prefix lists and route maps. */
export interface RouteMapDialect {
  readonly community: (name: string, value: string) => string;
  readonly largeCommunity: (name: string, value: string) => string;
  readonly prefixList: (
    family: FamilyPlan["family"],
    name: string,
  ) => { readonly head: string; readonly entry: (seq: number, prefix: string) => string };
  /** One step of indentation. */
  readonly indent: string;
  /** Ends a block, where the vendor wants that said. */
  readonly exit: readonly string[];
}

/** Entries that stand for themselves, without a head: FRR's and Cisco's. */
export const PREFIX_LIST: RouteMapDialect["prefixList"] = (family, name) => ({
  head: "",
  entry: (seq, prefix) => `${family === "ipv4" ? "ip" : "ipv6"} prefix-list ${name} seq ${seq} permit ${prefix}`,
});

/** The lists and the route maps: what is no VIP is refused in both directions. */
export function routeMaps({ families, rules }: RouterPlan, dialect: RouteMapDialect): string[] {
  const lists = rules.flatMap(({ name, community, largeCommunity }) => {
    if (community !== undefined) return [dialect.community(`STITCH-${name}`, community)];
    return largeCommunity === undefined ? [] : [dialect.largeCommunity(`STITCH-${name}`, largeCommunity)];
  });
  return [
    ...families.flatMap((family) => prefixList(family, dialect)),
    ...lists,
    ...families.flatMap((family) => [
      ...importMap(family, rules, dialect),
      ...block(`route-map STITCH-OUT-${family.tag} permit 10`, [matchVips(family)], dialect),
    ]),
  ];
}

function prefixList({ family, tag, vips }: FamilyPlan, { prefixList: list }: RouteMapDialect): string[] {
  const { head, entry } = list(family, `STITCH-${tag}`);
  const entries = vips.map((vip, i) => entry((i + 1) * 10, vip));
  return head === "" ? entries : [head, ...entries];
}

function importMap(family: FamilyPlan, rules: RouterPlan["rules"], dialect: RouteMapDialect): string[] {
  return rules.flatMap(({ name, community, largeCommunity, preference }, i) =>
    block(
      `route-map STITCH-IN-${family.tag} permit ${(i + 1) * 10}`,
      [
        matchVips(family),
        ...(community === undefined ? [] : [`match community STITCH-${name}`]),
        ...(largeCommunity === undefined ? [] : [`match large-community STITCH-${name}`]),
        ...(preference === undefined ? [] : [`set local-preference ${preference}`]),
      ],
      dialect,
    ),
  );
}

function matchVips({ family, tag }: FamilyPlan): string {
  return `match ${family === "ipv4" ? "ip" : "ipv6"} address prefix-list STITCH-${tag}`;
}

export function block(
  head: string,
  lines: readonly string[],
  { indent, exit }: Pick<RouteMapDialect, "indent" | "exit">,
): string[] {
  return [head, ...lines.map((line) => indent + line), ...exit];
}

/** Where the reader puts what we must not print. */
export const PASSWORD = "THE-PASSWORD";

/** What the reader must know before pasting, as comments. */
export function preface(plan: RouterPlan, mark: string): string[] {
  const { name, router, speaker } = plan;
  const lines = [
    `stitch ${name}, AS ${speaker.asn} at ${speaker.address}, for the router ${router.address} in AS ${router.asn}`,
  ];
  if (speaker.assumed) {
    lines.push(
      `${speaker.address} is assumed: the system chooses the session's source unless announcer.peers[].localAddress says it`,
    );
  }
  if (plan.protectedByPassword) lines.push(`write the TCP-MD5 password of site.yaml for ${PASSWORD}`);
  if (internal(plan)) lines.push("same AS on both sides: the router must reflect the VIPs to its other internal peers");
  return lines.map((line) => `${mark} ${line}`);
}

/** Where the timers of BFD belong to the interface, whose name we do not know. */
export function bfdRemark({ bfd, speaker }: RouterPlan, minRx: string): string[] {
  if (bfd === undefined) return [];
  const { interval, multiplier } = bfd;
  return [
    `! on the interface towards ${speaker.address}: bfd interval ${interval} ${minRx} ${interval} multiplier ${multiplier}`,
  ];
}

export function description({ name }: RouterPlan): string {
  return `stitch ${name}`;
}
