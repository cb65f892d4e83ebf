import { seconds } from "@stitch/clock";
import { type Lab, millisecondsBetween } from "../lab.ts";
import { until } from "../poll.ts";
import { experience } from "../probe/gap.ts";
import { askNew, probeDns, startUpstream } from "../probe/start.ts";
import { type Drill, type DrillContext, type Row, tenths, unless } from "./drill.ts";
import { CALM, LON, NEAREST, NYC, SITES, TWINS, UPSTREAM, VIPS, WHOAMI, type SitePlan } from "./plan.ts";
import { devicesTo, settled } from "./settled.ts";
import { wishOf } from "./wish.ts";

/** Enough questions at once to convince a resolver that its upstream is gone. */
const QUESTIONS = 4;
const PATIENCE = seconds(30);

export const upstreamsLost: Drill = {
  name: "upstreams-lost",
  variants: ["anycast"],
  intent:
    "one site's upstream DNS is cut, and no client uses that site; then every site's, and every address is still answered",
  async run(context) {
    const { lab, clock } = context;
    await settled(lab, clock);
    const upstream = await startUpstream(lab, UPSTREAM.node, UPSTREAM.address);
    try {
      await until(clock, "forwarded names to be answered", PATIENCE, () => forwards(lab, "branch"));
      const one = await cut(context, NYC);
      const avoided = await clients(lab, "nyc's upstream cut");
      const all = await cut(context, LON);
      const both = await clients(lab, "every upstream cut");
      const orphans = await unannounced(lab);
      const figures = { one_cut_ms: one, all_cut_ms: all, unannounced: orphans.length };
      return { rows: [...avoided, ...both].map(({ row }) => row), figures, failures: verdict(avoided, both, orphans) };
    } finally {
      await Promise.all(SITES.map((site) => route(lab, site, "del")));
      const normal = SITES.map((site) =>
        until(clock, `${site.host} to be normal again`, PATIENCE, () => convinced(lab, site, "normal")),
      );
      await Promise.all(normal);
      upstream.kill();
    }
  },
};

interface Seen {
  readonly row: Row;
  readonly client: string;
  readonly site: Readonly<Record<string, number>>;
  readonly sent: number;
  readonly lost: number;
}

function verdict(avoided: readonly Seen[], both: readonly Seen[], orphans: readonly string[]): string[] {
  return [
    ...avoided.flatMap(({ client, site }) =>
      unless((site[NYC.site] ?? 0) === 0, `${client} was answered by nyc, whose upstream is gone`),
    ),
    ...both.flatMap(({ client, lost, sent }) =>
      unless(lost <= sent / 10, `${client} lost ${lost} of ${sent} while every upstream was gone`),
    ),
    ...orphans.map((address) => `${address} is announced by nobody`),
  ];
}

/** The site's router has no way to the upstream any more. Answers how long the announcer took to say last resort, ms. */
async function cut({ lab, clock }: DrillContext, site: SitePlan): Promise<number> {
  const began = lab.now();
  await route(lab, site, "add");
  await until(clock, `${site.host} to go to last resort`, PATIENCE, () => convinced(lab, site, "last-resort"));
  const told = tenths(millisecondsBetween(began, lab.now()));
  await until(clock, "routes to come to rest", PATIENCE, () => atRest(lab, clock));
  return told;
}

/** A resolver learns what became of its upstream from questions: its own host asks them, wherever clients are carried. */
async function convinced(lab: Lab, { host }: SitePlan, wish: string): Promise<true | undefined> {
  const [said] = await Promise.all([wishOf(lab, host, "dns"), askNew(lab, host, VIPS.dns, UPSTREAM.zone, QUESTIONS)]);
  return said === wish ? true : undefined;
}

/** Two readings of every router that agree. */
async function atRest(lab: Lab, clock: DrillContext["clock"]): Promise<true | undefined> {
  const before = await forwardingNow(lab);
  await new Promise<void>((resolve) => void clock.after("look-again", seconds(1), resolve));
  return before === (await forwardingNow(lab)) ? true : undefined;
}

async function forwardingNow(lab: Lab): Promise<string> {
  const routes = CALM[lab.variant].map(({ node, address }) => devicesTo(lab, node, address));
  return JSON.stringify(await Promise.all(routes));
}

function clients(lab: Lab, when: string): Promise<readonly Seen[]> {
  return Promise.all(
    Object.keys(NEAREST).map(async (client) => {
      const probe = await probeDns(lab, client, VIPS.dns, WHOAMI);
      const { sent, lost, bySite } = experience(await probe.finish());
      const row = { when, client, queries: sent, nyc: bySite["nyc"] ?? 0, lon: bySite["lon"] ?? 0, lost };
      return { row, client, site: bySite, sent, lost };
    }),
  );
}

/** Addresses to which the core has no route. */
async function unannounced(lab: Lab): Promise<readonly string[]> {
  const addresses = [...Object.values(VIPS), ...Object.values(TWINS)];
  const routes = await Promise.all(addresses.map((address) => devicesTo(lab, "core", address)));
  return addresses.filter((_address, index) => routes[index]?.length === 0);
}

async function forwards(lab: Lab, client: string): Promise<true | undefined> {
  return (await askNew(lab, client, VIPS.dns, UPSTREAM.zone, 1)) === 1 ? true : undefined;
}

async function route(lab: Lab, { router }: SitePlan, what: "add" | "del"): Promise<void> {
  await lab.exec(router, ["ip", "route", what, "unreachable", `${UPSTREAM.address}/32`], { mayFail: what === "del" });
}
