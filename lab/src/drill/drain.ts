import { seconds } from "@stitch/clock";
import { millisecondsBetween } from "../lab.ts";
import { until } from "../poll.ts";
import { experience, firstAnswerFrom } from "../probe/gap.ts";
import { probeDns } from "../probe/start.ts";
import type { Variant } from "../variant.ts";
import { type Drill, tenths, unless } from "./drill.ts";
import { LON, NYC, PLANNED_LOSS, SITE_FILE, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";
import { wishOf } from "./wish.ts";

/** A drain is proved with at least this many queries. */
const LEAST_QUERIES = 10_000;

/** The kernel speaker sees no other origin, so its operator has to insist; last resort comes first all the same. */
const INSIST: Readonly<Record<Variant, readonly string[]>> = { anycast: [], ospf: ["--force"], ecmp: [], three: [] };

export const drain: Drill = {
  name: "drain",
  variants: ["anycast", "ospf"],
  intent:
    "`stitch drain dns` at New York and `stitch undrain dns` afterwards: clients move and return, and lose nothing",
  async run({ lab, clock }) {
    await settled(lab, clock);
    const probe = await probeDns(lab, "branch", VIPS.dns, WHOAMI);
    const asked = lab.now();
    await lab.exec(NYC.host, ["stitch", "drain", "dns", "--reason", "drill", ...INSIST[lab.variant], ...SITE_FILE]);
    await probe.answeredBy(LON.site);
    // Last resort first; then the address is withdrawn, which clients must not notice either.
    await until(clock, "the drained address to be withdrawn", seconds(30), async () =>
      (await wishOf(lab, NYC.host, "dns")) === "none" ? true : undefined,
    );
    const withdrawn = lab.now();
    await lab.exec(NYC.host, ["stitch", "undrain", "dns", ...SITE_FILE]);
    await probe.answeredBy(NYC.site);
    const back = lab.now();
    await until(clock, `${LEAST_QUERIES} queries`, seconds(30), async () =>
      millisecondsBetween(asked, lab.now()) > LEAST_QUERIES ? true : undefined,
    );
    const record = await probe.finish();
    const seen = experience(record);
    const row = {
      queries: seen.sent,
      lost: seen.lost,
      nyc: seen.bySite[NYC.site] ?? 0,
      lon: seen.bySite[LON.site] ?? 0,
      "moved ms": tenths(firstAnswerFrom(record, LON.site, asked) ?? Number.NaN),
      "withdrawn ms": tenths(millisecondsBetween(asked, withdrawn)),
      "back after undrain ms": tenths(millisecondsBetween(withdrawn, back)),
    };
    const failures = [
      ...unless(seen.lost <= PLANNED_LOSS[lab.variant], `${seen.lost} of ${seen.sent} queries were lost`),
      ...unless(seen.sent >= LEAST_QUERIES, `only ${seen.sent} queries were sent`),
    ];
    return { rows: [row], figures: { drain_lost: seen.lost, drain_queries: seen.sent }, failures };
  },
};
