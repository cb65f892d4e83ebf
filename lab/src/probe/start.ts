import { join } from "node:path";
import type { Lab, LabProcess } from "../lab.ts";
import { CHANGED, type DnsRecord, type SyslogRecord, type TcpRecord, WARM } from "./record.ts";

const here = import.meta.dirname;

/** A DNS probe at work in a client. */
export interface Probe<R> {
  /** Resolves when the answering site becomes `site`; at once if it is that already. */
  answeredBy(site: string): Promise<void>;
  finish(): Promise<R>;
}
export type DnsProbe = Probe<DnsRecord>;
export type TcpProbe = Probe<TcpRecord>;

export interface DnsProbeOptions {
  /** Source ports, one after the other: to a router that hashes ports, so many clients. */
  readonly flows?: number;
  /** What of SITE/INSTANCE the record tells apart. */
  readonly by?: "site" | "instance";
  /** Queries a second. */
  readonly rate?: number;
}

/** Starts one query a millisecond, or `rate` a second, at `address`; resolves once it is warm and answered. */
export function probeDns(
  lab: Pick<Lab, "spawn">,
  client: string,
  address: string,
  name: string,
  { flows = 1, by = "site", rate = 1_000 }: DnsProbeOptions = {},
): Promise<DnsProbe> {
  return startProbe(lab, client, ["dns.ts", address, "53", name, String(flows), by, String(rate)]);
}

/** Starts one query in ten milliseconds on one TCP connection to `address`; resolves once it is warm and answered. */
export function probeDnsOverTcp(lab: Lab, client: string, address: string, name: string): Promise<TcpProbe> {
  return startProbe(lab, client, ["dns-tcp.ts", address, "53", name]);
}

/** Starts one HTTP request in twenty milliseconds; the record's site is the text of the answer. */
export function probeHttp(lab: Lab, client: string, address: string, port: number): Promise<Probe<DnsRecord>> {
  return startProbe(lab, client, ["http.ts", address, String(port)]);
}

async function startProbe<R>(
  lab: Pick<Lab, "spawn">,
  client: string,
  [program = "", ...args]: readonly string[],
): Promise<Probe<R>> {
  const running = lab.spawn(client, ["node", join(here, program), ...args]);
  const reader = new LineReader(running);
  await reader.wait((line) => line === WARM);
  return {
    answeredBy: (site) => reader.wait(() => reader.site === site),
    finish: async () => {
      running.finish();
      return reader.record<R>();
    },
  };
}

export interface SyslogProbe {
  /** Ends the stream before its count. */
  finish(): void;
  done(): Promise<SyslogRecord>;
}

export async function probeSyslog(
  lab: Lab,
  client: string,
  address: string,
  run: string,
  count: number,
): Promise<SyslogProbe> {
  const running = lab.spawn(client, ["node", join(here, "syslog.ts"), address, "514", run, String(count)]);
  const reader = new LineReader(running);
  await reader.wait((line) => line === WARM);
  return { finish: () => running.finish(), done: () => reader.record<SyslogRecord>() };
}

/** Asks `count` names that nobody has asked before, at and below `zone`; answers how many were answered. */
export async function askNew(lab: Lab, client: string, address: string, zone: string, count: number): Promise<number> {
  const { stdout } = await lab.exec(client, ["node", join(here, "ask.ts"), address, "53", zone, String(count)]);
  return Number(stdout);
}

/** Starts a DNS server that answers every question; resolves once it serves. It ends with the lab or by `kill`. */
export async function startUpstream(lab: Lab, node: string, address: string): Promise<LabProcess> {
  const running = lab.spawn(node, ["node", join(here, "upstream.ts"), address, "53"]);
  if ((await running.line()) !== WARM) throw new Error(`the upstream did not start: ${running.complaints()}`);
  return running;
}

/** An HTTP service at `vip` that says on loopback how busy it is. */
export interface GpuService {
  setUtilization(value: number): Promise<void>;
  kill(): void;
}

export async function startGpu(lab: Lab, host: string, vip: string, port: number, site: string): Promise<GpuService> {
  const running = lab.spawn(host, ["node", join(here, "gpu.ts"), vip, String(port), site]);
  if ((await running.line()) !== WARM) throw new Error(`the service did not start: ${running.complaints()}`);
  const program = join(here, "set-utilization.ts");
  return {
    setUtilization: async (value) => void (await lab.exec(host, ["node", program, String(port), String(value)])),
    kill: () => running.kill(),
  };
}

export interface NtpAnswer {
  readonly answered: boolean;
  readonly leap?: number;
  readonly mode?: number;
  readonly stratum?: number;
}

export async function askNtp(lab: Lab, client: string, address: string): Promise<NtpAnswer> {
  const { stdout } = await lab.exec(client, ["node", join(here, "ntp.ts"), address, "123"]);
  return JSON.parse(stdout) as NtpAnswer;
}

/** Longest silence of a probe that is worth waiting for: recovery takes tens of seconds. */
const PATIENCE_MS = 90_000;

class LineReader {
  site = "";
  readonly #process: LabProcess;

  constructor(process: LabProcess) {
    this.#process = process;
  }

  async wait(reached: (line: string) => boolean): Promise<void> {
    if (reached("")) return;
    for (;;) if (reached(await this.#next())) return;
  }

  async record<T>(): Promise<T> {
    for (;;) {
      const line = await this.#next();
      if (line.startsWith("{")) return JSON.parse(line) as T;
    }
  }

  async #next(): Promise<string> {
    const late = AbortSignal.timeout(PATIENCE_MS);
    const line = await Promise.race([this.#process.line(), aborted(late)]);
    if (line === undefined) throw new Error(`a probe ended early: ${this.#process.complaints()}`);
    if (line.startsWith(CHANGED)) this.site = line.slice(CHANGED.length);
    return line;
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error(`a probe said nothing for ${PATIENCE_MS / 1000} s`)), {
      once: true,
    });
  });
}
