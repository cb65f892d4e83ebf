import { seconds } from "@stitch/clock";
import { type Lab, millisecondsBetween } from "../lab.ts";
import { until } from "../poll.ts";
import { experience } from "../probe/gap.ts";
import { askNew, probeDns, startUpstream } from "../probe/start.ts";
import { withdrawals } from "../sighting.ts";
import { type Drill, type DrillContext, type DrillResult, pause, type Row, tenths, unless } from "./drill.ts";
import {
  CALM,
  CORE,
  NEAREST,
  siteColumns,
  type SitePlan,
  SITES,
  TOR_TO_HOST,
  TWINS,
  UPSTREAM,
  VIPS,
  WHOAMI,
} from "./plan.ts";
import { devicesTo, settled } from "./settled.ts";
import { wishOf } from "./wish.ts";

/** Enough questions at once to convince a resolver that its upstream is gone. */
const QUESTIONS = 4;
const PATIENCE = seconds(30);

export const upstreamsLost: Drill = {
  name: "upstreams-lost",
  variants: ["anycast", "three"],
  intent:
    "one site's upstream DNS is cut, and no client uses that site; then every site's at once, and every address is still answered",
  async run(context) {
    const { lab, clock } = context;
    const sites = SITES[lab.variant];
    await settled(lab, clock);
    const upstream = await startUpstream(lab, UPSTREAM.node, UPSTREAM.address);
    try {
      await until(clock, "forwarded names to be answered", PATIENCE, () => forwards(lab, "branch"));
      const some = [];
      // All but one, one after the other: as long as one site forwards, it has all clients.
      for (const [index] of sites.slice(0, -1).entries()) some.push(await someCut(context, sites.slice(0, index + 1)));
      await heal(context);
      await settled(lab, clock);
      return verdict(some, await allCut(context));
    } finally {
      await heal(context);
      upstream.kill();
    }
  },
};

interface Seen {
  readonly row: Row;
  readonly client: string;
  readonly bySite: Readonly<Record<string, number>>;
  readonly sent: number;
  readonly lost: number;
}

/** Some sites are cut off, others are not. */
interface SomeCut {
  readonly cut: readonly SitePlan[];
  readonly toldMs: number;
  readonly clients: readonly Seen[];
  /** Clients that get no answer for a name that has to be forwarded. */
  readonly unserved: readonly string[];
}

async function someCut(context: DrillContext, cut: readonly SitePlan[]): Promise<SomeCut> {
  const { lab, clock } = context;
  const last = cut.slice(-1);
  const toldMs = await cutOff(context, last);
  const seen = await clients(lab, `cut: ${cut.map(({ site }) => site).join(", ")}`);
  const served = await Promise.all(seen.map(({ client }) => forwards(lab, client)));
  const unserved = seen.flatMap(({ client }, index) => (served[index] ? [] : [client]));
  await until(clock, "routes to come to rest", PATIENCE, () => atRest(lab, clock));
  return { cut, toldMs, clients: seen, unserved };
}

/** Every site is cut off in one moment. */
interface AllCut {
  readonly toldMs: number;
  readonly clients: readonly Seen[];
  /** Addresses that nobody announces afterwards, and what any site withdrew on the way. */
  readonly orphans: readonly string[];
  readonly withdrawn: readonly string[];
}

async function allCut(context: DrillContext): Promise<AllCut> {
  const { lab } = context;
  const sites = SITES[lab.variant];
  const captures = await Promise.all(sites.map(({ router }) => lab.capture(router, TOR_TO_HOST, "tcp port 179")));
  const began = lab.now();
  const toldMs = await cutOff(context, sites);
  const seen = await clients(lab, "cut: every site");
  const packets = await Promise.all(captures.map((capture) => capture.stop()));
  const withdrawn = sites.flatMap(({ site, hostAddress }, index) =>
    withdrawals(packets[index] ?? [], hostAddress, began).map(({ address }) => `${site} withdrew ${address}`),
  );
  return { toldMs, clients: seen, orphans: await unannounced(lab), withdrawn };
}

function verdict(some: readonly SomeCut[], all: AllCut): Omit<DrillResult, "drill"> {
  const figures = {
    one_cut_ms: some[0]?.toldMs ?? Number.NaN,
    all_cut_ms: all.toldMs,
    unannounced: all.orphans.length,
  };
  const failures = [
    ...some.flatMap(({ cut, clients: seen, unserved }) => [
      ...seen.flatMap((client) => [...avoids(client, cut), ...answered(client)]),
      ...unserved.map((client) => `${client} had no forwarded name answered, although a site forwards`),
    ]),
    ...all.clients.flatMap(answered),
    ...all.orphans.map((address) => `${address} is announced by nobody`),
    ...all.withdrawn,
  ];
  return { rows: [...some.flatMap((cut) => cut.clients), ...all.clients].map(({ row }) => row), figures, failures };
}

function avoids({ client, bySite }: Seen, cut: readonly SitePlan[]): readonly string[] {
  return cut.flatMap(({ site }) => unless(!bySite[site], `${client} was answered by ${site}, whose upstream is gone`));
}

function answered({ row, client, lost, sent }: Seen): readonly string[] {
  return unless(lost <= sent / 10, `${client} lost ${lost} of ${sent}, ${row["when"]}`);
}

/** The sites' routers have no way to the upstream any more. Answers how long the last of the announcers took to say last resort, ms. */
async function cutOff({ lab, clock }: DrillContext, sites: readonly SitePlan[]): Promise<number> {
  const began = lab.now();
  await Promise.all(sites.map((site) => route(lab, site, "add")));
  const told = sites.map((site) =>
    until(clock, `${site.host} to go to last resort`, PATIENCE, () => convinced(lab, site, "last-resort")),
  );
  await Promise.all(told);
  const took = tenths(millisecondsBetween(began, lab.now()));
  await until(clock, "routes to come to rest", PATIENCE, () => atRest(lab, clock));
  return took;
}

async function heal({ lab, clock }: DrillContext): Promise<void> {
  const sites = SITES[lab.variant];
  await Promise.all(sites.map((site) => route(lab, site, "del")));
  const normal = sites.map((site) =>
    until(clock, `${site.host} to be normal again`, PATIENCE, () => convinced(lab, site, "normal")),
  );
  await Promise.all(normal);
}

/** A resolver learns what became of its upstream from questions: its own host asks them, wherever clients are carried. */
async function convinced(lab: Lab, { host }: SitePlan, wish: string): Promise<true | undefined> {
  const [said] = await Promise.all([wishOf(lab, host, "dns"), askNew(lab, host, VIPS.dns, UPSTREAM.zone, QUESTIONS)]);
  return said === wish ? true : undefined;
}

/** Two readings of every router that agree. */
async function atRest(lab: Lab, clock: DrillContext["clock"]): Promise<true | undefined> {
  const before = await forwardingNow(lab);
  await pause(clock, seconds(1));
  return before === (await forwardingNow(lab)) ? true : undefined;
}

async function forwardingNow(lab: Lab): Promise<string> {
  const routes = CALM[lab.variant].map(({ node, address }) => devicesTo(lab, node, address));
  return JSON.stringify(await Promise.all(routes));
}

function clients(lab: Lab, when: string): Promise<readonly Seen[]> {
  return Promise.all(
    Object.keys(NEAREST[lab.variant]).map(async (client) => {
      const probe = await probeDns(lab, client, VIPS.dns, WHOAMI);
      const { sent, lost, bySite } = experience(await probe.finish());
      const row = { when, client, queries: sent, ...siteColumns(lab.variant, bySite), lost };
      return { row, client, bySite, sent, lost };
    }),
  );
}

/** Addresses to which the core has no route. */
async function unannounced(lab: Lab): Promise<readonly string[]> {
  const addresses = [...Object.values(VIPS), ...Object.values(TWINS)];
  const routes = await Promise.all(addresses.map((address) => devicesTo(lab, CORE, address)));
  return addresses.filter((_address, index) => routes[index]?.length === 0);
}

async function forwards(lab: Lab, client: string): Promise<true | undefined> {
  return (await askNew(lab, client, VIPS.dns, UPSTREAM.zone, 1)) === 1 ? true : undefined;
}

async function route(lab: Lab, { router }: SitePlan, what: "add" | "del"): Promise<void> {
  await lab.exec(router, ["ip", "route", what, "unreachable", `${UPSTREAM.address}/32`], { mayFail: what === "del" });
}
