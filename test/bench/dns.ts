import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peer } from "@stitch/peers";
import { compile } from "./compile.ts";
import { onLoadCore, rotated, Running } from "./contest.ts";
import { ADDRESS, stitch, unbound, upstream } from "./dns/contestants.ts";
import { HOT_NAMES, writeColdQueries, writeHotQueries, writeZone } from "./dns/names.ts";
import type { Outcome } from "./outcome.ts";
import { spreadOf, spreadText, type Spread } from "./spread.ts";

const HIT_SECONDS = 3;
const MISS_QUERIES = 40_000;
/** Queries under way: enough that no server ever waits for the client. */
const WINDOW = 128;
const MISS_WINDOW = 64;
const GOALS: Readonly<Record<string, number>> = { "hit/unbound": 1, "hit/echo": 1.3, "miss/unbound": 1 };

interface Round {
  readonly name: string;
  readonly kind: "hit" | "miss";
  readonly cpuNanoseconds: number;
  readonly completed: number;
  readonly lost: number;
  readonly perSecond: number;
  readonly latencyMs: number;
}

/** Cached and forwarded answers beside unbound, and the C echo beneath both; CPU of the whole process per answer. */
export async function benchDns(rounds: number): Promise<{ outcome: Outcome; raw: unknown }> {
  const folder = mkdtempSync(join(tmpdir(), "stitch-bench-"));
  const running: Running[] = [];
  try {
    const nsd = await upstream(folder, writeZone(folder));
    const peerUnbound = await unbound(folder);
    running.push(await Running.start(nsd));
    const resolvers = [await Running.start(stitch(folder)), await Running.start(peerUnbound)];
    const echo = await Running.start({
      name: "echo",
      command: [await compile("udp/echo.c", "udp-echo"), ADDRESS, "dns"],
    });
    running.push(...resolvers, echo);
    const measured = await measureAll(resolvers, echo, folder, rounds);
    const versions = {
      node: process.version,
      unbound: peerUnbound.version,
      nsd: nsd.version,
      dnsperf: (await peer("dnsperf")).version,
    };
    return { outcome: summary(measured, rounds, versions), raw: measured };
  } finally {
    for (const each of running) await each.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureAll(
  resolvers: readonly Running[],
  echo: Running,
  folder: string,
  rounds: number,
): Promise<Round[]> {
  const hot = writeHotQueries(folder);
  const measured: Round[] = [];
  for (const each of resolvers) await asked(each, hot, "hit", HIT_SECONDS);
  for (let round = 0; round < rounds; round += 1) {
    process.stderr.write(`dns: round ${round + 1} of ${rounds}\n`);
    for (const each of rotated([...resolvers, echo], round)) {
      measured.push(await asked(each, hot, "hit", HIT_SECONDS));
    }
    for (const each of rotated(resolvers, round)) {
      const cold = writeColdQueries(folder, `${each.name}-${round}`, MISS_QUERIES);
      measured.push(await asked(each, cold, "miss", 0));
    }
  }
  return measured;
}

/** dnsperf for some seconds, or, with 0, once through the file. */
async function asked(server: Running, queries: string, kind: Round["kind"], seconds: number): Promise<Round> {
  const dnsperf = await peer("dnsperf");
  const length = seconds > 0 ? ["-l", String(seconds)] : ["-n", "1"];
  const window = String(kind === "hit" ? WINDOW : MISS_WINDOW);
  const before = server.cpuNanoseconds();
  const text = await onLoadCore(
    [
      dnsperf.program("dnsperf"),
      "-s",
      ADDRESS,
      "-p",
      String(server.port),
      "-d",
      queries,
      "-q",
      window,
      "-t",
      "2",
      ...length,
    ],
    dnsperf.env,
  );
  const cpuNanoseconds = server.cpuNanoseconds() - before;
  const figure = (name: RegExp): number => Number(name.exec(text)?.[1] ?? Number.NaN);
  const completed = figure(/Queries completed:\s+(\d+)/);
  if (!(completed > 0) || !/NOERROR \d+ \(100\.00%\)/.test(text))
    throw new Error(`${server.name} did not answer:\n${text}`);
  return {
    name: server.name,
    kind,
    cpuNanoseconds,
    completed,
    lost: figure(/Queries lost:\s+(\d+)/),
    perSecond: figure(/Queries per second:\s+([\d.]+)/),
    latencyMs: figure(/Average Latency \(s\):\s+([\d.]+)/) * 1_000,
  };
}

function summary(measured: readonly Round[], rounds: number, versions: Readonly<Record<string, string>>): Outcome {
  const of = (name: string, kind: Round["kind"]): Round[] => measured.filter((r) => r.name === name && r.kind === kind);
  const cost = (name: string, kind: Round["kind"]): number[] =>
    of(name, kind).map((r) => r.cpuNanoseconds / r.completed);
  const ratio = (kind: Round["kind"], to: string): Spread => {
    const base = cost(to, kind);
    return spreadOf(cost("stitch", kind).map((value, i) => value / (base[i] ?? Number.NaN)));
  };
  const ratios: Record<string, Spread> = {
    "hit/unbound": ratio("hit", "unbound"),
    "hit/echo": ratio("hit", "echo"),
    "miss/unbound": ratio("miss", "unbound"),
  };
  const rows = [
    ["stitch", "hit"],
    ["unbound", "hit"],
    ["echo", "hit"],
    ["stitch", "miss"],
    ["unbound", "miss"],
  ] as const;
  return {
    bench: "dns",
    versions,
    settings: {
      rounds,
      names: HOT_NAMES,
      window: WINDOW,
      "seconds a round": HIT_SECONDS,
      "misses a round": MISS_QUERIES,
    },
    ratios,
    figures: Object.fromEntries(rows.map(([name, kind]) => [`${name}_${kind}_cpu_ns`, spreadOf(cost(name, kind))])),
    table: rows.map(([name, kind]) => ({
      server: name,
      answers: kind === "hit" ? "cached" : "forwarded",
      "CPU ns per answer": spreadText(spreadOf(cost(name, kind)), 0),
      "answers/s": spreadText(spreadOf(of(name, kind).map(({ perSecond }) => perSecond)), 0),
      lost: of(name, kind).reduce((sum, { lost }) => sum + lost, 0),
      "mean latency ms":
        name === "echo" ? "" : spreadText(spreadOf(of(name, kind).map(({ latencyMs }) => latencyMs)), 2),
    })),
    missed: Object.entries(GOALS).flatMap(([name, goal]) => {
      const median = ratios[name]?.median ?? Number.NaN;
      return median <= goal ? [] : [`${name} is ${median.toFixed(2)} at the median, the goal is ${goal}`];
    }),
  };
}
