import { type Clock, milliseconds, seconds } from "@stitch/clock";
import { type CapturedPacket, type Lab, millisecondsBetween, type Nanoseconds } from "../lab.ts";
import { bars, marks } from "../picture.ts";
import { until } from "../poll.ts";
import type { FloodRecord } from "../probe/record.ts";
import { averages, type Flood, type FloodOptions, startFlood } from "../probe/start-flood.ts";
import { firstClose, withdrawals } from "../sighting.ts";
import { type Drill, type DrillContext, type DrillResult, pause, tenths, unless } from "./drill.ts";
import { falls } from "./falls.ts";
import { CORE, LON, NYC, SITES, TOR_TO_HOST, TWINS, VIPS, WHOAMI } from "./plan.ts";
import { devicesTo, settled } from "./settled.ts";

/** How long the flood lasts, and how soon what hangs in it must be withdrawn: the goal, and what a busy machine is given in a short run. */
const FORMS = {
  full: { seconds: 60, withdrawnWithinMs: 700 },
  brief: { seconds: 12, withdrawnWithinMs: 1_500 },
} as const;
type Form = (typeof FORMS)[keyof typeof FORMS];
const TIMES_CAPACITY = 3;
/** A generator that shares the processors with everything else may fall a little short. */
const LEAST_TIMES = 2.5;
/** What the site can do is looked for between these rates: the most that it answers in a second. */
const MEASURING = { from: 20_000, to: 400_000, seconds: 6 };

/** As many networks as a limit per network must not save the site from. */
const CROWD = {
  client: "branch",
  network: "10.1.16.0/20",
  sources: Array.from({ length: 16 }, (_, n) => `10.1.${16 + n}.10`),
};
const WAYS_BACK: readonly (readonly [router: string, via: string])[] = [
  [CORE, "10.1.0.10"],
  [NYC.router, "10.2.1.1"],
  [LON.router, "10.2.2.1"],
];

/** What is stopped in the flood, and after which share of it: a neighbour of the flooded service, then the flooded one itself. */
const STOPPED = [
  { role: "syslog", share: 1 / 3 },
  { role: "dns", share: 2 / 3 },
] as const;

export const flood: Drill = {
  name: "flood",
  variants: ["anycast"],
  intent:
    "New York is flooded at three times its capacity: no address is withdrawn anywhere, but what hangs in the flood is, at once",
  async run(context) {
    const { lab, clock, brief } = context;
    const form = brief ? FORMS.brief : FORMS.full;
    await settled(lab, clock);
    try {
      await crowd(lab, "add");
      context.progress("drill: flood: what New York can answer");
      const capacity = Math.max(...(await (await start(lab, MEASURING)).over()).answered);
      const since = new Date().toISOString();
      const seen = await underFlood(context, capacity * TIMES_CAPACITY, form.seconds);
      const result = verdict(capacity, form, seen);
      // Beside what is stopped on purpose, why the rest fell.
      const fallen = seen.strange.length === 0 ? [] : await falls(lab, since);
      return { ...result, failures: [...result.failures, ...fallen] };
    } finally {
      await crowd(lab, "del");
    }
  },
};

interface Stopped {
  readonly role: "syslog" | "dns";
  readonly at: Nanoseconds;
  /** From SIGSTOP to the withdrawal on the wire; NaN when none was seen. */
  readonly toldMs: number;
}

interface Seen {
  readonly began: Nanoseconds;
  readonly record: FloodRecord;
  readonly stopped: readonly Stopped[];
  /** What should not have been: withdrawals that nothing had stopped, sessions that ended. */
  readonly strange: readonly string[];
}

async function underFlood({ lab, clock, progress }: DrillContext, rate: number, length: number): Promise<Seen> {
  const captures = await Promise.all(
    SITES[lab.variant].map(({ router }) => lab.capture(router, TOR_TO_HOST, "tcp port 179")),
  );
  const began = lab.now();
  const flow = await start(lab, { from: rate, to: rate, seconds: length });
  const struck: Omit<Stopped, "toldMs">[] = [];
  try {
    for (const { role, share } of STOPPED) {
      const left = share * length * 1_000 - millisecondsBetween(began, lab.now());
      await pause(clock, milliseconds(Math.max(0, Math.round(left))));
      progress(`drill: flood: ${role} is stopped at nyc`);
      struck.push({ role, at: await stopUntilLeft(lab, clock, role) });
    }
    const record = await flow.over();
    const [nyc = [], lon = []] = await Promise.all(captures.map((capture) => capture.stop()));
    const stopped = struck.map((stop) => ({ ...stop, toldMs: toldAfter(nyc, stop) }));
    return { began, record, stopped, strange: strangeness(nyc, lon, began, stopped) };
  } finally {
    flow.kill();
  }
}

/** SIGSTOP until the router sends the address elsewhere. */
async function stopUntilLeft(lab: Lab, clock: Clock, role: Stopped["role"]): Promise<Nanoseconds> {
  const at = await lab.signal(NYC.host, [role], "SIGSTOP");
  try {
    await until(clock, `the router to leave a ${role} that hangs`, seconds(10), async () =>
      (await devicesTo(lab, NYC.router, VIPS[role])).join() === TOR_TO_HOST ? undefined : true,
    );
  } finally {
    await lab.signal(NYC.host, [role], "SIGCONT");
  }
  return at;
}

function toldAfter(packets: readonly CapturedPacket[], { role, at }: Omit<Stopped, "toldMs">): number {
  const seen = withdrawals(packets, NYC.hostAddress, at).find(({ address }) => address === VIPS[role]);
  return seen === undefined ? Number.NaN : millisecondsBetween(at, seen.time);
}

function strangeness(
  nyc: readonly CapturedPacket[],
  lon: readonly CapturedPacket[],
  began: Nanoseconds,
  stopped: readonly Stopped[],
): readonly string[] {
  const due = (address: string, time: Nanoseconds): boolean =>
    stopped.some(({ role, at }) => time >= at && (address === VIPS[role] || address === TWINS[role]));
  const undue = withdrawals(nyc, NYC.hostAddress, began).filter(({ address, time }) => !due(address, time));
  const closed = [
    { site: NYC, packets: nyc },
    { site: LON, packets: lon },
  ].filter(({ site, packets }) => firstClose(packets, site.hostAddress, began) !== undefined);
  return [
    ...undue.map(({ address }) => `nyc withdrew ${address}, which was well`),
    ...withdrawals(lon, LON.hostAddress, began).map(({ address }) => `lon withdrew ${address}, which was well`),
    ...closed.map(({ site }) => `${site.site}'s session ended`),
  ];
}

function verdict(capacity: number, form: Form, seen: Seen): Omit<DrillResult, "drill"> {
  const flow = averages(seen.record);
  const times = tenths(flow.sent / capacity);
  const told = new Map(seen.stopped.map(({ role, toldMs }) => [role, tenths(toldMs)]));
  const late = [...told].filter(([, ms]) => !(ms <= form.withdrawnWithinMs));
  const quiet = { seconds: "", "sent/s": "", "answered/s": "" };
  return {
    rows: [
      { what: "capacity", seconds: MEASURING.seconds, "sent/s": "", "answered/s": capacity, "withdrawn ms": "" },
      { what: "flood", seconds: form.seconds, "sent/s": flow.sent, "answered/s": flow.answered, "withdrawn ms": "" },
      ...[...told].map(([role, ms]) => ({ what: `${role} stopped in it`, ...quiet, "withdrawn ms": ms })),
    ],
    figures: {
      flood_capacity: capacity,
      flood_times: times,
      flood_withdrawn: seen.strange.length,
      flood_neighbour_ms: told.get("syslog") ?? Number.NaN,
      flood_hung_ms: told.get("dns") ?? Number.NaN,
    },
    failures: [
      ...seen.strange,
      ...unless(times >= LEAST_TIMES, `the flood was only ${times} times the capacity`),
      ...late.map(([role, ms]) => `${role} was withdrawn after ${ms} ms; ${form.withdrawnWithinMs} ms is the limit`),
    ],
    picture: picture(capacity, seen),
  };
}

function picture(capacity: number, { began, record, stopped }: Seen): string[] {
  const words = stopped.map(({ role, at }) => ({
    at: Math.floor(millisecondsBetween(began, at) / 1_000),
    word: `${role} stopped`,
  }));
  const height = Math.max(capacity, ...record.answered);
  return [`answered, a character a second, of ${height}:`, bars(record.answered, height), ...marks(words)];
}

/** A question that nobody has asked before would cost the site more; one that it knows shows what it can do at most. */
function start(lab: Lab, flow: Omit<FloodOptions, "sources">): Promise<Flood> {
  return startFlood(lab, CROWD.client, VIPS.dns, WHOAMI, { sources: CROWD.sources, ...flow });
}

/** The crowd's addresses are the client's own, and the routers know the way back to them. */
async function crowd(lab: Lab, what: "add" | "del"): Promise<void> {
  const { client, network } = CROWD;
  const mayFail = what === "del";
  await lab.exec(client, ["ip", "route", what, "local", network, "dev", "lo"], { mayFail });
  for (const [router, via] of WAYS_BACK)
    await lab.exec(router, ["ip", "route", what, network, "via", via], { mayFail });
}
