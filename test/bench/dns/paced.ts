import { compile } from "../compile.ts";
import { BOTH_CORES, LOAD_CORE, onLoadCore, type Running } from "../contest.ts";
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

/** Questions at a fixed rate, whatever comes back; how long answers took, microseconds. */
export async function paced(
  server: Running,
  queries: string,
  rate: number,
  milliseconds: number,
  workers: number,
): Promise<Paced> {
  const program = await compile("dns/paced.c", "dns-paced");
  const sockets = workers > 1 ? MANY_SOCKETS : SOCKETS;
  const args = [ADDRESS, server.port, queries, rate, milliseconds, sockets, SAMPLE].map(String);
  const text = await onLoadCore([program, ...args], {}, workers > 1 ? BOTH_CORES : LOAD_CORE);
  const lines = text.trim().split("\n");
  const [sent = 0, answered = 0, p50 = 0, p99 = 0, max = 0] = (lines.pop() ?? "").split(" ").map(Number);
  if (!(answered > 0)) throw new Error(`${server.name} answered none of ${sent} queries at ${rate}/s`);
  return { sent, answered, p50: p50 / 1e3, p99: p99 / 1e3, max: max / 1e3, samples: lines.map(sampleOf) };
}

function sampleOf(line: string): Sample {
  const [hex = "", at = ""] = line.split(" ");
  return { bytes: Buffer.from(hex, "hex"), atMs: Number(at) / 1e6 };
}
