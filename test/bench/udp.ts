import { join } from "node:path";
import { compile, compilerVersion } from "./compile.ts";
import { load, rotated, Running, type Contestant, type Load } from "./contest.ts";
import type { Outcome } from "./outcome.ts";
import { spreadOf, spreadText } from "./spread.ts";

const ADDRESS = "127.0.0.1";
const PAYLOAD_BYTES = 64;
const SOCKETS = 1;
/** Datagrams under way: a full batch is always waiting, so all three are measured saturated. */
const WINDOW = 128;
const WARM_MS = 1_000;
const ROUND_MS = 1_500;
/** CPU per datagram of the addon with a trivial reply in TypeScript, by that of the C echo. */
const GOAL = 1.15;

interface Round {
  readonly name: string;
  readonly cpuNanoseconds: number;
  readonly load: Load;
}

/** The socket layer alone: an echo in C, on the addon, and on node:dgram; CPU per datagram, round about. */
export async function benchUdp(rounds: number): Promise<{ outcome: Outcome; raw: unknown }> {
  const echo = await compile("udp/echo.c", "udp-echo");
  const client = await compile("udp/load.c", "udp-load");
  const server = join(import.meta.dirname, "udp", "server.ts");
  const contestants: Contestant[] = [
    { name: "echo", command: [echo, ADDRESS] },
    { name: "addon", command: [process.execPath, server, "native", ADDRESS] },
    { name: "dgram", command: [process.execPath, server, "dgram", ADDRESS] },
  ];
  const running: Running[] = [];
  try {
    for (const contestant of contestants) running.push(await Running.start(contestant));
    for (const each of running) await measure(each, client, WARM_MS);
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const each of rotated(running, round)) measured.push(await measure(each, client, ROUND_MS));
    }
    return { outcome: summary(measured, rounds, await compilerVersion()), raw: measured };
  } finally {
    for (const each of running) await each.stop();
  }
}

async function measure(running: Running, client: string, milliseconds: number): Promise<Round> {
  const before = running.cpuNanoseconds();
  const args = [ADDRESS, running.port, PAYLOAD_BYTES, SOCKETS, WINDOW, milliseconds].map(String);
  const seen = await load(client, args);
  return { name: running.name, cpuNanoseconds: running.cpuNanoseconds() - before, load: seen };
}

function summary(measured: readonly Round[], rounds: number, compiler: string): Outcome {
  const of = (name: string): Round[] => measured.filter((round) => round.name === name);
  const cost = (name: string): number[] => of(name).map((round) => round.cpuNanoseconds / round.load.received);
  const echo = cost("echo");
  const ratio = (name: string) => spreadOf(cost(name).map((value, i) => value / (echo[i] ?? Number.NaN)));
  const ratios = { "addon/echo": ratio("addon"), "dgram/echo": ratio("dgram") };
  const table = ["echo", "addon", "dgram"].map((name) => ({
    server: name,
    "CPU ns per datagram": spreadText(spreadOf(cost(name)), 0),
    "datagrams/s": spreadText(spreadOf(of(name).map(({ load: l }) => (l.received / l.milliseconds) * 1_000)), 0),
    lost: of(name).reduce((sum, { load: l }) => sum + l.sent - l.received, 0),
    "ratio to echo": name === "echo" ? "1" : spreadText(ratio(name), 2),
  }));
  const figures = Object.fromEntries(
    ["echo", "addon", "dgram"].map((name) => [`${name}_cpu_ns`, spreadOf(cost(name))]),
  );
  const { median } = ratios["addon/echo"];
  return {
    bench: "udp",
    versions: { node: process.version, cc: compiler },
    settings: {
      rounds,
      "payload bytes": PAYLOAD_BYTES,
      batch: 64,
      sockets: SOCKETS,
      window: WINDOW,
      "ms a round": ROUND_MS,
    },
    ratios,
    figures,
    table,
    missed: median <= GOAL ? [] : [`addon/echo is ${median.toFixed(2)} at the median, the goal is ${GOAL}`],
  };
}
