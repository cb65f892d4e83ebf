import { experience, firstAnswerFrom } from "../probe/gap.ts";
import { probeDns } from "../probe/start.ts";
import { type Drill, tenths, unless } from "./drill.ts";
import { LON, NYC, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";

export const killAnnouncer: Drill = {
  name: "kill-announcer",
  variants: ["anycast", "ospf"],
  intent:
    "kill -9 of New York's announcer: its routes go with it, so all addresses move although every service is well",
  async run({ lab, clock }) {
    await settled(lab, clock);
    const probe = await probeDns(lab, "branch", VIPS.dns, WHOAMI);
    const before = await lab.roles(NYC.host);
    const killed = await lab.signal(NYC.host, ["announcer"], "SIGKILL");
    await probe.answeredBy(LON.site);
    await probe.answeredBy(NYC.site);
    const record = await probe.finish();
    const after = await lab.roles(NYC.host);
    const seen = experience(record);
    const figures = { announcer_killed_gap_ms: tenths(seen.longestGapMs) };
    const row = {
      queries: seen.sent,
      lost: seen.lost,
      "gap ms": figures.announcer_killed_gap_ms,
      "moved ms": tenths(firstAnswerFrom(record, LON.site, killed) ?? Number.NaN),
    };
    const undisturbed = before["dns"]?.pid === after["dns"]?.pid;
    return { rows: [row], figures, failures: unless(undisturbed, "the resolver was restarted with the announcer") };
  },
};
