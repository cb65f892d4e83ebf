import { millisecondsBetween } from "../lab.ts";
import { experience, firstAnswerFrom } from "../probe/gap.ts";
import { probeDns } from "../probe/start.ts";
import { type Drill, tenths, unless } from "./drill.ts";
import { CORE, LON, NYC, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";

/** A link that goes down is seen at once; the routers take what a withdrawal takes them. */
const LONGEST_GAP_MS = 2_000;

export const dark: Drill = {
  name: "dark",
  variants: ["anycast", "ospf"],
  intent: "New York goes dark, all its links cut at once: the branch is London's until the lights are on again",
  async run({ lab, clock }) {
    await settled(lab, clock);
    const probe = await probeDns(lab, "branch", VIPS.dns, WHOAMI);
    const cut = lab.now();
    await links(lab, "down");
    await probe.answeredBy(LON.site).finally(() => links(lab, "up"));
    const healed = lab.now();
    await probe.answeredBy(NYC.site);
    const back = lab.now();
    const record = await probe.finish();
    const seen = experience(record);
    const figures = { dark_gap_ms: tenths(seen.longestGapMs), dark_lost: seen.lost };
    const row = {
      queries: seen.sent,
      lost: seen.lost,
      "gap ms": figures.dark_gap_ms,
      "moved ms": tenths(firstAnswerFrom(record, LON.site, cut) ?? Number.NaN),
      "back after light ms": tenths(millisecondsBetween(healed, back)),
    };
    const sentence = `the branch waited ${figures.dark_gap_ms} ms; ${LONGEST_GAP_MS} ms is the limit`;
    return { rows: [row], figures, failures: unless(figures.dark_gap_ms <= LONGEST_GAP_MS, sentence) };
  },
};

async function links(lab: Parameters<Drill["run"]>[0]["lab"], state: "up" | "down"): Promise<void> {
  await Promise.all([lab.link(CORE, NYC.router, state), lab.link(NYC.router, NYC.host, state)]);
}
