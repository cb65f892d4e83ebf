import { seconds } from "@stitch/clock";
import { type Lab, millisecondsBetween, type Nanoseconds } from "../lab.ts";
import { strips } from "../picture.ts";
import { until } from "../poll.ts";
import { experience, lostBetween } from "../probe/gap.ts";
import type { DnsRecord } from "../probe/record.ts";
import { type DnsProbe, probeDns, probeSyslog } from "../probe/start.ts";
import { type Drill, type DrillContext, type DrillResult, type Row, tenths, unless } from "./drill.ts";
import { falls } from "./falls.ts";
import { type Account, accountFor } from "./log-stream.ts";
import { NEAREST, SITE_FILE, type SitePlan, SITES, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";
import { wishOf } from "./wish.ts";

const PATIENCE = seconds(60);
/** More than the drill takes: the stream is ended when it is over. */
const MOST_MESSAGES = 300_000;
/** Queries for one character of the picture: half a second. */
const PER_CHARACTER = 500;

export const rolling: Drill = {
  name: "rolling",
  variants: ["anycast"],
  intent:
    "a rolling upgrade: each site in turn is drained, stopped, started and undrained, while clients ask and log, and nothing is lost",
  async run(context) {
    const { lab, clock } = context;
    await settled(lab, clock);
    const run = `rolling${lab.now() % 1_000_000n}`;
    const probes = new Map<string, DnsProbe>();
    for (const client of Object.keys(NEAREST[lab.variant]))
      probes.set(client, await probeDns(lab, client, VIPS.dns, WHOAMI));
    const stream = await probeSyslog(lab, "branch", VIPS.syslog, run, MOST_MESSAGES);
    const since = new Date().toISOString();
    const upgrades: Upgrade[] = [];
    for (const site of SITES[lab.variant]) upgrades.push(await upgraded(context, site));
    const records = new Map<string, DnsRecord>();
    for (const [client, probe] of probes) records.set(client, await probe.finish());
    stream.finish();
    const account = await accountFor(lab, clock, run, await stream.done());
    const result = verdict(upgrades, records, account);
    // Whoever lost something wants to know which address fell, and why.
    return result.failures.length === 0
      ? result
      : { ...result, failures: [...result.failures, ...(await falls(lab, since))] };
  },
};

/** One site's turn, from the drain to the day before. */
interface Upgrade {
  readonly site: string;
  readonly began: Nanoseconds;
  readonly drainedMs: number;
  readonly restartedMs: number;
  readonly backMs: number;
  readonly over: Nanoseconds;
  /** Roles whose process is still the old one. */
  readonly kept: readonly string[];
}

async function upgraded({ lab, clock, progress }: DrillContext, { site, host }: SitePlan): Promise<Upgrade> {
  progress(`drill: rolling: ${site}`);
  const before = await lab.roles(host);
  const began = lab.now();
  await lab.exec(host, ["stitch", "drain", "all", "--reason", "upgrade", ...SITE_FILE]);
  try {
    await until(clock, `${site} to be drained`, PATIENCE, () => silent(lab, host));
    const drained = lab.now();
    await lab.restart(host);
    const restarted = lab.now();
    const after = await lab.roles(host);
    const kept = Object.keys(before).filter((role) => before[role]?.pid === after[role]?.pid);
    // Who starts anew is still drained: the operator's word outlives the process, and is taken back when it answers.
    await until(clock, `${site}'s announcer to answer`, PATIENCE, () => undrained(lab, host));
    await settled(lab, clock);
    const over = lab.now();
    const [drainedMs, restartedMs, backMs] = [
      millisecondsBetween(began, drained),
      millisecondsBetween(drained, restarted),
      millisecondsBetween(restarted, over),
    ];
    return { site, began, drainedMs, restartedMs, backMs, over, kept };
  } catch (failure) {
    await undrained(lab, host);
    throw failure;
  }
}

/** The routers hear of no service of the host any more. */
async function silent(lab: Lab, host: string): Promise<true | undefined> {
  const wishes = await Promise.all(Object.keys(VIPS).map((service) => wishOf(lab, host, service)));
  return wishes.every((wish) => wish === "none") ? true : undefined;
}

async function undrained(lab: Lab, host: string): Promise<true | undefined> {
  const asked = await lab.exec(host, ["stitch", "undrain", "all", ...SITE_FILE], { mayFail: true });
  return asked.exitCode === 0 ? true : undefined;
}

function verdict(
  upgrades: readonly Upgrade[],
  records: ReadonlyMap<string, DnsRecord>,
  account: Account,
): Omit<DrillResult, "drill"> {
  const all = [...records.values()].map(experience);
  const queries = all.reduce((sum, { sent }) => sum + sent, 0);
  const lost = all.reduce((sum, seen) => sum + seen.lost, 0);
  return {
    rows: upgrades.map((upgrade) => rowOf(upgrade, records)),
    figures: {
      rolling_queries: queries,
      rolling_gap_ms: tenths(Math.max(...all.map(({ longestGapMs }) => longestGapMs))),
      rolling_lost: lost,
      rolling_messages: account.sent,
      rolling_messages_lost: account.lost,
    },
    failures: [
      ...upgrades.flatMap(({ site, kept }) => unless(kept.length === 0, `${site}: ${kept.join()} was not restarted`)),
      ...unless(lost === 0, `${lost} of ${queries} queries were lost`),
      ...unless(
        account.lost === 0,
        `${account.lost} of ${account.sent} messages were lost, within ${tenths(account.holeMs)} ms`,
      ),
    ],
    picture: ["two characters a second; n nyc, l lon, . something lost:", ...strips(records, PER_CHARACTER)],
  };
}

function rowOf({ site, began, over, ...took }: Upgrade, records: ReadonlyMap<string, DnsRecord>): Row {
  const lost = [...records].map(([client, record]) => [`lost by ${client}`, lostBetween(record, began, over)]);
  return {
    site,
    "drained ms": tenths(took.drainedMs),
    "restarted ms": tenths(took.restartedMs),
    "all back ms": tenths(took.backMs),
    ...Object.fromEntries(lost),
  };
}
