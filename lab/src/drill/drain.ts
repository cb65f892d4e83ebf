import { type Duration, milliseconds, seconds } from "@stitch/clock";
import { type Lab, millisecondsBetween, type Nanoseconds } from "../lab.ts";
import { until } from "../poll.ts";
import { between, experience, firstAnswerFrom } from "../probe/gap.ts";
import type { DnsRecord } from "../probe/record.ts";
import { type DnsProbe, probeDns } from "../probe/start.ts";
import type { Variant } from "../variant.ts";
import { type Drill, type DrillContext, type Row, tenths, unless } from "./drill.ts";
import { LON, NYC, PLANNED_LOSS, SITE_FILE, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";
import { wishOf } from "./wish.ts";

/** The kernel speaker sees no other origin, so its operator has to insist; last resort comes first all the same. */
const INSIST: Readonly<Record<Variant, readonly string[]>> = { anycast: [], ospf: ["--force"], ecmp: [], three: [] };

/** Later than anything that is recorded. */
const NEVER = (1n << 62n) as Nanoseconds;

/** When what was seen of one drain happened. */
interface Drained {
  readonly asked: Nanoseconds;
  readonly withdrawn: Nanoseconds;
  readonly back: Nanoseconds;
}

export interface DrainDrillOptions {
  /** Queries a second. */
  readonly rate: number;
  /** Drains follow one another for so long, and the queries go on until it is over. */
  readonly lasts: Duration;
}

/** Drains and undrains New York under the clients' queries. */
export function drainDrill({ rate, lasts }: DrainDrillOptions): Drill {
  const least = (rate * lasts) / 1_000;
  return {
    name: "drain",
    variants: ["anycast", "ospf"],
    intent:
      "`stitch drain dns` at New York and `stitch undrain dns` afterwards: clients move and return, and lose nothing",
    async run({ lab, clock }) {
      await settled(lab, clock);
      const probe = await probeDns(lab, "branch", VIPS.dns, WHOAMI, { rate });
      const drains = [await once(lab, clock, probe)];
      const began = drains[0]?.asked ?? lab.now();
      const left = (): number => lasts - millisecondsBetween(began, lab.now());
      while (left() > lengthOf(drains.at(-1))) drains.push(await once(lab, clock, probe));
      await until(clock, `${least} queries`, milliseconds(lasts + seconds(30)), async () =>
        left() < 0 ? true : undefined,
      );
      const record = await probe.finish();
      const seen = experience(record);
      const failures = [
        ...unless(seen.lost <= PLANNED_LOSS[lab.variant], `${seen.lost} of ${seen.sent} queries were lost`),
        ...unless(seen.sent >= least, `only ${seen.sent} queries were sent`),
      ];
      return {
        rows: rowsOf(drains, record),
        figures: { drain_lost: seen.lost, drain_queries: seen.sent },
        failures,
      };
    },
  };
}

export const drain = drainDrill({ rate: 1_000, lasts: seconds(10) });

async function once(lab: Lab, clock: DrillContext["clock"], probe: DnsProbe): Promise<Drained> {
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
  return { asked, withdrawn, back: lab.now() };
}

function lengthOf(drained: Drained | undefined): number {
  return drained === undefined ? 0 : millisecondsBetween(drained.asked, drained.back);
}

/** A row for each drain, with the queries from its beginning to that of the next; the first has those before it too. */
function rowsOf(drains: readonly Drained[], record: DnsRecord): Row[] {
  const start = BigInt(record.start) as Nanoseconds;
  return drains.map(({ asked, withdrawn, back }, n) => {
    const seen = experience(between(record, n === 0 ? start : asked, drains[n + 1]?.asked ?? NEVER));
    return {
      queries: seen.sent,
      lost: seen.lost,
      nyc: seen.bySite[NYC.site] ?? 0,
      lon: seen.bySite[LON.site] ?? 0,
      "moved ms": tenths(firstAnswerFrom(record, LON.site, asked) ?? Number.NaN),
      "withdrawn ms": tenths(millisecondsBetween(asked, withdrawn)),
      "back after undrain ms": tenths(millisecondsBetween(withdrawn, back)),
    };
  });
}
