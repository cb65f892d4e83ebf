import { experience } from "../probe/gap.ts";
import { askNtp, probeDns } from "../probe/start.ts";
import { type Drill, unless } from "./drill.ts";
import { NEAREST, siteColumns, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";

export const nearest: Drill = {
  name: "nearest",
  variants: ["anycast", "ospf", "three"],
  intent: "every client asks the same addresses and is answered by its near site",
  async run({ lab, clock }) {
    await settled(lab, clock);
    const rows = [];
    const failures = [];
    for (const [client, { site }] of Object.entries(NEAREST[lab.variant])) {
      const probe = await probeDns(lab, client, VIPS.dns, WHOAMI);
      const seen = experience(await probe.finish());
      const ntp = await askNtp(lab, client, VIPS.ntp);
      rows.push({
        client,
        queries: seen.sent,
        ...siteColumns(lab.variant, seen.bySite),
        lost: seen.lost,
        "ntp stratum": ntp.stratum ?? "-",
      });
      failures.push(
        ...unless(
          seen.bySite[site] === seen.sent,
          `${client}: ${seen.bySite[site] ?? 0} of ${seen.sent} answered by ${site}`,
        ),
        ...unless(ntp.answered && ntp.mode === 4, `${client}: no time from ${VIPS.ntp}`),
      );
    }
    return { rows, figures: {}, failures };
  },
};
