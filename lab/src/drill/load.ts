import { type Duration, seconds } from "@stitch/clock";
import type { CapturedPacket, Lab, Nanoseconds } from "../lab.ts";
import { strips } from "../picture.ts";
import { until } from "../poll.ts";
import { experience, firstAnswerFrom, lostBetween } from "../probe/gap.ts";
import type { DnsRecord } from "../probe/record.ts";
import { type GpuService, type Probe, probeHttp, startGpu } from "../probe/start.ts";
import { countUpdates } from "../sighting.ts";
import { type Drill, type DrillContext, type DrillResult, pause, type Row, tenths, unless } from "./drill.ts";
import { CORE, GPU, LON, NEAREST as NEAREST_OF, NYC, SITES as SITES_OF, TOR_TO_HOST } from "./plan.ts";
import { devicesTo, settled } from "./settled.ts";

const [SITES, NEAREST] = [SITES_OF.anycast, NEAREST_OF.anycast];

const BUSY = 0.95;
/** Below the step of 0.95, but not by the fifth of a step that its hysteresis wants: nobody is told. */
const HARDLY_LESS = 0.89;
const IDLE = 0.05;
const WAVERING = seconds(3);
const PATIENCE = seconds(30);
/** What the routers and a poll of the check need, with room for a busy machine. */
const MOVED_WITHIN_MS = 3_000;
/** The load moves at most once in ten seconds, and then what the routers need. */
const BACK_WITHIN_MS = 13_000;
/** A move breaks the connections that are open: of fifty requests a second not more than these. */
const MOST_LOST = 25;
/** Requests for one character of the picture: a second has five. */
const PER_CHARACTER = 10;

export const load: Drill = {
  name: "load",
  variants: ["anycast"],
  intent:
    "a GPU service says how busy it is: as New York's fills up its clients go to London, who is idle, and return when it is free again",
  async run(context) {
    const { lab, clock } = context;
    await settled(lab, clock);
    const services = await Promise.all(SITES.map(({ host, site }) => startGpu(lab, host, GPU.vip, GPU.port, site)));
    try {
      await until(clock, "both sites to announce the service", PATIENCE, () => announced(lab));
      return await steered(context, services[0] as GpuService);
    } finally {
      for (const service of services) service.kill();
      await until(clock, "the service to be gone", PATIENCE, () => gone(lab));
    }
  },
};

/** What clients lived through between two changes of the load; steady from `rest` on. */
interface Phase {
  readonly when: string;
  readonly load: number;
  readonly from: Nanoseconds;
  readonly rest: Nanoseconds;
  readonly to: Nanoseconds;
}

async function steered({ lab, clock, progress }: DrillContext, nyc: GpuService): Promise<Omit<DrillResult, "drill">> {
  const probes = new Map<string, Probe<DnsRecord>>();
  for (const client of Object.keys(NEAREST)) probes.set(client, await probeHttp(lab, client, GPU.vip, GPU.port));
  const capture = await lab.capture(NYC.router, TOR_TO_HOST, "tcp port 179");
  const phases: Phase[] = [];
  const phase = async (when: string, value: number, expected: (near: string) => string, stays: Duration) => {
    progress(`drill: load: ${when}`);
    const from = lab.now();
    await nyc.setUtilization(value);
    for (const [client, probe] of probes) await probe.answeredBy(expected(NEAREST[client]?.site ?? ""));
    const rest = lab.now();
    await pause(clock, stays);
    phases.push({ when, load: value, from, rest, to: lab.now() });
  };
  await phase("idle", IDLE, (near) => near, seconds(1));
  await phase("busy", BUSY, () => LON.site, seconds(1));
  await phase("hardly less", HARDLY_LESS, () => LON.site, WAVERING);
  await phase("idle again", IDLE, (near) => near, seconds(1));
  const records = new Map<string, DnsRecord>();
  for (const [client, probe] of probes) records.set(client, await probe.finish());
  return verdict(phases, records, await capture.stop());
}

function verdict(
  phases: readonly Phase[],
  records: ReadonlyMap<string, DnsRecord>,
  packets: readonly CapturedPacket[],
): Omit<DrillResult, "drill"> {
  const rows = phases.map((phase) => rowOf(phase, records, packets));
  const [calm, busy, wavering, again] = phases;
  const nearNyc = [...records].filter(([client]) => NEAREST[client] === NYC).map(([, record]) => record);
  const slowest = (site: string, since: Nanoseconds | undefined): number =>
    tenths(Math.max(...nearNyc.map((record) => (since && firstAnswerFrom(record, site, since)) ?? Number.NaN)));
  const figures = {
    load_moved_ms: slowest(LON.site, busy?.from),
    load_back_ms: slowest(NYC.site, again?.from),
    load_lost: [...records.values()].reduce((sum, record) => sum + experience(record).lost, 0),
    load_wavering_updates: wavering === undefined ? Number.NaN : updatesIn(wavering, packets),
  };
  const failures = [
    ...[calm, again].flatMap((at) => astray(at, records, (client) => NEAREST[client]?.site ?? "")),
    ...[busy, wavering].flatMap((at) => astray(at, records, () => LON.site)),
    ...unless(figures.load_moved_ms <= MOVED_WITHIN_MS, `moved after ${figures.load_moved_ms} ms`),
    ...unless(figures.load_back_ms <= BACK_WITHIN_MS, `back after ${figures.load_back_ms} ms`),
    ...unless(figures.load_wavering_updates === 0, "a load that hardly changed was told to the router"),
    ...unless(figures.load_lost <= MOST_LOST, `${figures.load_lost} requests were lost`),
  ];
  const picture = ["five characters a second; n nyc, l lon, . something lost:", ...strips(records, PER_CHARACTER)];
  return { rows, figures, failures, picture };
}

function rowOf(phase: Phase, records: ReadonlyMap<string, DnsRecord>, packets: readonly CapturedPacket[]): Row {
  const answered = [...records].map(([client, record]) => [client, sitesIn(phase, record).join(" and ") || "nobody"]);
  const lost = [...records.values()].reduce((sum, record) => sum + lostBetween(record, phase.from, phase.to), 0);
  return {
    "nyc is": phase.when,
    load: phase.load,
    ...Object.fromEntries(answered),
    lost,
    "updates to the router": updatesIn(phase, packets),
  };
}

function astray(
  phase: Phase | undefined,
  records: ReadonlyMap<string, DnsRecord>,
  expected: (client: string) => string,
): readonly string[] {
  return [...records].flatMap(([client, record]) => {
    const seen = phase === undefined ? [] : sitesIn(phase, record);
    return unless(seen.join() === expected(client), `${phase?.when}: ${client} was served by ${seen.join(" and ")}`);
  });
}

/** Who answered what was sent while nothing moved. */
function sitesIn({ rest, to }: Phase, { start, sent, site, sites }: DnsRecord): readonly string[] {
  const [first, last] = [rest, to].map((time) => Number(time - BigInt(start)));
  const within = site.filter((_, n) => (sent[n] ?? 0) >= (first ?? 0) && (sent[n] ?? 0) < (last ?? 0));
  return [...new Set(within)].flatMap((index) => sites[index] ?? []);
}

function updatesIn({ from, to }: Phase, packets: readonly CapturedPacket[]): number {
  const within = packets.filter(({ time }) => time < to);
  return countUpdates(within, NYC.hostAddress, from);
}

async function announced(lab: Lab): Promise<true | undefined> {
  const ways = await Promise.all(SITES.map(({ router }) => devicesTo(lab, router, GPU.vip)));
  return ways.every((way) => way.join() === TOR_TO_HOST) ? true : undefined;
}

async function gone(lab: Lab): Promise<true | undefined> {
  return (await devicesTo(lab, CORE, GPU.vip)).length === 0 ? true : undefined;
}
