import { type Experience, experience } from "../probe/gap.ts";
import type { Lab } from "../lab.ts";
import { probeDns } from "../probe/start.ts";
import { killed } from "./blow.ts";
import { type Drill, tenths, unless } from "./drill.ts";
import { failover } from "./failover.ts";
import { NEAREST, TWINS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";

/** As long as IPv4 takes through the same two routers, with room for a busy machine. */
const LONGEST_GAP_MS = 1_500;

export const v6: Drill = {
  name: "v6",
  variants: ["anycast"],
  intent: "the same by IPv6: every client is answered by its near site, and by the other when the resolver is killed",
  async run({ lab, clock }) {
    await settled(lab, clock);
    const nearest = await Promise.all(Object.keys(NEAREST[lab.variant]).map((client) => askFrom(lab, client)));
    const seen = await failover(lab, clock, TWINS.dns, killed(lab.variant));
    const figures = { v6_gap_branch_ms: tenths(seen.branchGapMs), v6_gap_near_ms: tenths(seen.nearGapMs) };
    const [branch, near] = [figures.v6_gap_branch_ms, figures.v6_gap_near_ms];
    const failures = [
      ...nearest.flatMap(({ client, site, sent, bySite }) =>
        unless(bySite[site] === sent, `${client}: ${bySite[site] ?? 0} of ${sent} answered by ${site}`),
      ),
      ...unless(Math.max(branch, near) <= LONGEST_GAP_MS, `a client waited ${Math.max(branch, near)} ms`),
      ...unless(seen.branchLost > 0, "nobody lost anything: the killed resolver was not the one that answered"),
    ];
    const what = "dns killed";
    const blank = { queries: "", nyc: "", lon: "" };
    return {
      rows: [
        ...nearest.map(({ client, sent, bySite, lost }) => ({
          client,
          what: "nearest",
          queries: sent,
          nyc: bySite["nyc"] ?? 0,
          lon: bySite["lon"] ?? 0,
          lost,
          "gap ms": "",
        })),
        { client: "branch", what, ...blank, lost: seen.branchLost, "gap ms": branch },
        { client: "client-nyc", what, ...blank, lost: seen.nearLost, "gap ms": near },
      ],
      figures,
      failures,
    };
  },
};

async function askFrom(
  lab: Lab,
  client: string,
): Promise<Experience & { readonly client: string; readonly site: string }> {
  const probe = await probeDns(lab, client, TWINS.dns, WHOAMI);
  return { ...experience(await probe.finish()), client, site: NEAREST[lab.variant][client]?.site ?? "" };
}
