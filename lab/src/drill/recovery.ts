import { millisecondsBetween } from "../lab.ts";
import { experience, firstAnswerFrom, lostBetween } from "../probe/gap.ts";
import { probeDns } from "../probe/start.ts";
import { type Drill, tenths, unless } from "./drill.ts";
import { LON, NYC, PLANNED_LOSS, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";

export const recovery: Drill = {
  name: "recovery",
  variants: ["anycast", "ospf"],
  intent:
    "the killed resolver is restarted, proves itself, is announced again, and the traffic flows back without a loss",
  async run({ lab, clock }) {
    await settled(lab, clock);
    const probe = await probeDns(lab, "branch", VIPS.dns, WHOAMI);
    const killed = await lab.signal(NYC.host, ["dns"], "SIGKILL");
    await probe.answeredBy(LON.site);
    const away = lab.now();
    await probe.answeredBy(NYC.site);
    const back = lab.now();
    const record = await probe.finish();
    const seen = experience(record);
    const lostOnReturn = lostBetween(record, away, lab.now());
    const figures = {
      moved_ms: tenths(firstAnswerFrom(record, LON.site, killed) ?? Number.NaN),
      back_ms: tenths(millisecondsBetween(killed, back)),
      return_lost: lostOnReturn,
    };
    const row = {
      queries: seen.sent,
      "moved away ms": figures.moved_ms,
      "lost on the way out": seen.lost - lostOnReturn,
      "back after ms": figures.back_ms,
      "lost on the way back": lostOnReturn,
    };
    return {
      rows: [row],
      figures,
      failures: unless(lostOnReturn <= PLANNED_LOSS[lab.variant], `${lostOnReturn} queries were lost on the way back`),
    };
  },
};
