import { compile } from "../compile.ts";
import { BOTH_CORES, LOAD_CORE, onLoadCore, type Running } from "../contest.ts";
import { urgent } from "../priority.ts";
import { ADDRESS } from "./client.ts";

/** One answer in so many is kept. */
export const SAMPLE = 1_000;
const SOCKETS = 1;
const MANY_SOCKETS = 32;

/** An answer as it came, and when. */
export interface Sample {
  readonly bytes: Buffer;
  readonly atMs: number;
}

export interface Paced {
  readonly sent: number;
  readonly answered: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: readonly Sample[];
}

export interface Pace {
  readonly port: number;
  readonly queries: string;
  readonly rate: number;
  readonly milliseconds: number;
  readonly sockets: number;
  /** Of the answers one in so many is kept. */
  readonly sample: number;
  /** Of the last of so many questions no time is taken; 0: of all. */
  readonly untimed: number;
}

/** Questions at a fixed rate, whatever comes back; how long answers took, microseconds. */
export async function pacedOnce(pace: Pace, cores: string = LOAD_CORE): Promise<Paced> {
  const program = await compile("dns/paced.c", "dns-paced");
  const { port, queries, rate, milliseconds, sockets, sample, untimed } = pace;
  const args = [ADDRESS, port, queries, rate, milliseconds, sockets, sample, untimed].map(String);
  const lines = (await onLoadCore(await urgent([program, ...args]), {}, cores)).trim().split("\n");
  const [sent = 0, answered = 0, p50 = 0, p99 = 0, max = 0] = (lines.pop() ?? "").split(" ").map(Number);
  return { sent, answered, p50: p50 / 1e3, p99: p99 / 1e3, max: max / 1e3, samples: lines.map(sampleOf) };
}

/** The same as the bench does it. */
export async function paced(
  server: Running,
  queries: string,
  rate: number,
  milliseconds: number,
  workers: number,
  untimed: number,
): Promise<Paced> {
  const sockets = workers > 1 ? MANY_SOCKETS : SOCKETS;
  const pace = { port: server.port, queries, rate, milliseconds, sockets, sample: SAMPLE, untimed };
  const seen = await pacedOnce(pace, workers > 1 ? BOTH_CORES : LOAD_CORE);
  if (!(seen.answered > 0)) throw new Error(`${server.name} answered none of ${seen.sent} queries at ${rate}/s`);
  return seen;
}

function sampleOf(line: string): Sample {
  const [hex = "", at = ""] = line.split(" ");
  return { bytes: Buffer.from(hex, "hex"), atMs: Number(at) / 1e6 };
}
