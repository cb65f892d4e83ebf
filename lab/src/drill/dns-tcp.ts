import type { Lab, Nanoseconds } from "../lab.ts";
import { strip } from "../picture.ts";
import { firstAnswerFrom } from "../probe/gap.ts";
import type { TcpRecord } from "../probe/record.ts";
import { probeDnsOverTcp } from "../probe/start.ts";
import { type Drill, type DrillContext, type Row, tenths, unless } from "./drill.ts";
import { LON, NYC, SITE_FILE, VIPS, WHOAMI } from "./plan.ts";
import { settled } from "./settled.ts";

/** What the routers need, and the lease of what hangs, with room for a busy machine. */
const HEALED_WITHIN_MS = 3_000;
/** Of the picture: queries in all, and before the first loss. */
const DRAWN = 100;
const BEFORE = 10;

/** What takes New York's resolver away, and gives it back. */
interface Loss {
  readonly what: string;
  strike(lab: Lab): Promise<Nanoseconds>;
  heal(lab: Lab): Promise<void>;
}

const LOSSES: readonly Loss[] = [
  {
    what: "killed",
    strike: (lab) => lab.signal(NYC.host, ["dns"], "SIGKILL"),
    // It is restarted by itself.
    heal: async () => undefined,
  },
  {
    what: "stopped",
    strike: (lab) => lab.signal(NYC.host, ["dns"], "SIGSTOP"),
    heal: async (lab) => void (await lab.signal(NYC.host, ["dns"], "SIGCONT")),
  },
  {
    what: "drained",
    strike: async (lab) => {
      const asked = lab.now();
      await lab.exec(NYC.host, ["stitch", "drain", "dns", "--reason", "drill", ...SITE_FILE]);
      return asked;
    },
    heal: async (lab) => void (await lab.exec(NYC.host, ["stitch", "undrain", "dns", ...SITE_FILE])),
  },
];

/**
 * A TCP connection is a state of two hosts, and the other site does not have it. So a failover ends it, a planned one too; what the drill
 * shows is how the client learns of it, and when the next connection is answered.
 */
export const dnsTcp: Drill = {
  name: "dns-tcp",
  variants: ["anycast"],
  intent:
    "DNS over TCP while New York's resolver is killed, stopped, drained: its connection breaks, the next one is London's",
  async run(context) {
    const seen: Seen[] = [];
    for (const loss of LOSSES) seen.push(await across(context, loss));
    return {
      rows: seen.map(({ row }) => row),
      figures: Object.fromEntries(seen.flatMap(({ figures }) => Object.entries(figures))),
      failures: seen.flatMap(({ failures }) => failures),
      picture: ["one query in 10 ms, one character each; n nyc, l lon, . lost:", ...seen.map(({ line }) => line)],
    };
  },
};

interface Seen {
  readonly row: Row;
  readonly figures: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
  readonly line: string;
}

async function across({ lab, clock, progress }: DrillContext, loss: Loss): Promise<Seen> {
  await settled(lab, clock);
  progress(`drill: dns-tcp: nyc's resolver is ${loss.what}`);
  const probe = await probeDnsOverTcp(lab, "branch", VIPS.dns, WHOAMI);
  const struck = await loss.strike(lab);
  const record = await probe
    .answeredBy(LON.site)
    .then(() => probe.finish())
    .finally(() => loss.heal(lab));
  return seenBy(loss.what, record, struck);
}

function seenBy(what: string, record: TcpRecord, struck: Nanoseconds): Seen {
  const blow = Number(struck - BigInt(record.start));
  const broken = record.connections.find(({ opened, ended }) => opened >= 0 && opened < blow && ended >= blow);
  const next = record.connections.find(({ opened }) => opened >= blow);
  const vain = record.connections.filter(({ tried, opened }) => tried >= blow && opened < 0);
  const [ended, connected] = [broken?.ended, next?.opened].map((time) => tenths(((time ?? Number.NaN) - blow) / 1e6));
  const healed = tenths(firstAnswerFrom(record, LON.site, struck) ?? Number.NaN);
  const lost = record.sent.filter((time, n) => record.answered[n] === -1 && time < (next?.opened ?? Infinity)).length;
  const lostLater = record.answered.filter((time) => time === -1).length - lost;
  return {
    row: {
      "nyc's resolver": what,
      "connection was": broken?.ending ?? "kept",
      "after ms": ended ?? "",
      "vain attempts": vain.length,
      "why in vain": [...new Set(vain.map(({ ending }) => ending))].join(", ") || "-",
      "connected ms": connected ?? "",
      "answered ms": healed,
      "queries lost": lost,
    },
    figures: { [`tcp_${what}_broken_ms`]: ended ?? Number.NaN, [`tcp_${what}_healed_ms`]: healed },
    failures: [
      ...unless(broken !== undefined && broken.ending !== "left", `${what}: the connection did not break`),
      ...unless(healed <= HEALED_WITHIN_MS, `${what}: answered again after ${healed} ms`),
      ...unless(lostLater === 0, `${what}: ${lostLater} queries were lost on the next connection`),
    ],
    line: `${what.padEnd(8)} ${drawn(record, blow)}`,
  };
}

/** A second of queries, from a little before the first that was lost. */
function drawn(record: TcpRecord, blow: number): string {
  const first = record.sent.findIndex((time, n) => time >= blow && record.answered[n] === -1) - BEFORE;
  return strip(record, first, first + DRAWN);
}
