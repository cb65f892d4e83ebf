import { peer } from "@stitch/peers";
import { BOTH_CORES, LOAD_CORE, onLoadCore, type Running } from "../contest.ts";
import { ADDRESS } from "./client.ts";

/** With several workers the kernel deals out clients by address and port: enough of them that each gets its share. */
const MANY_CLIENTS = 64;

export interface Load {
  readonly queries: string;
  readonly rcode: string;
  readonly window: number;
  readonly workers: number;
  /** 0: once through the file. */
  readonly seconds: number;
  /** A client of its own port asks, where it matters which worker gets the questions. */
  readonly from?: number;
}

export interface Loaded {
  readonly cpuNanoseconds: number;
  readonly completed: number;
  readonly lost: number;
  /** Answers with another rcode than they should have. */
  readonly wrong: number;
  readonly perSecond: number;
}

/** dnsperf as fast as the server is, with EDNS; what that cost the server's processes. */
export async function saturate(server: Running, load: Load): Promise<Loaded> {
  const dnsperf = await peer("dnsperf");
  const { from, queries, rcode, seconds, window, workers } = load;
  const length = seconds > 0 ? ["-l", String(seconds)] : ["-n", "1"];
  const clients = from === undefined ? ["-c", String(workers > 1 ? MANY_CLIENTS : 1)] : ["-c", "1", "-x", String(from)];
  const target = ["-s", ADDRESS, "-p", String(server.port), "-d", queries, "-e"];
  const before = server.cpuNanoseconds();
  const text = await onLoadCore(
    [dnsperf.program("dnsperf"), ...target, "-q", String(window), "-t", "2", ...clients, ...length],
    dnsperf.env,
    workers > 1 ? BOTH_CORES : LOAD_CORE,
  );
  const cpuNanoseconds = server.cpuNanoseconds() - before;
  const figure = (name: RegExp): number => Number(name.exec(text)?.[1] ?? Number.NaN);
  const completed = figure(/Queries completed:\s+(\d+)/);
  if (!(completed > 0)) throw new Error(`${server.name} did not answer:\n${text}`);
  const right = Number(new RegExp(`Response codes:.*\\b${rcode} (\\d+)`).exec(text)?.[1] ?? 0);
  return {
    cpuNanoseconds,
    completed,
    lost: figure(/Queries lost:\s+(\d+)/),
    wrong: completed - right,
    perSecond: figure(/Queries per second:\s+([\d.]+)/),
  };
}
