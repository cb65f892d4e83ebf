import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { setTimeout as pause } from "node:timers/promises";
import { SystemClock } from "@stitch/clock";
import type { SiteDocument } from "@stitch/config";
import { dnsConfig } from "@stitch/dns-resolver";
import { formatEndpoint } from "@stitch/linux-io";
import { ntpConfig } from "@stitch/sntp-responder";
import { decodeServerReply, encodeClientRequest, LEAP_UNKNOWN, wallMicrosOf } from "@stitch/sntp-responder/wire";
import { syslogConfig } from "@stitch/syslog-collector";
import { readRecords } from "@stitch/syslog-collector/store";
import dnsPacket from "dns-packet";
import { loadChecked } from "../site.ts";
import { table } from "../table.ts";
import { CommandError, UsageError } from "../usage.ts";
import type { OperateContext } from "./operate.ts";
import { ANSWER_LIMIT_MS, exchange } from "./udp-exchange.ts";

/** What one question through a VIP came to. */
interface Trial {
  readonly service: string;
  readonly vip: string;
  readonly ok: boolean;
  readonly milliseconds: number;
  readonly answer: string;
}

const clock = new SystemClock();

/** One DNS query, one log read back, one time request, through each VIP. Fails (1) when any is not answered well. */
export async function tryOut({ file, json, print }: OperateContext): Promise<number> {
  const document = loadChecked(file);
  const trials: Trial[] = [];
  if (document.has("dns")) trials.push(...(await tryDns(document)));
  if (document.has("syslog")) trials.push(...(await trySyslog(document)));
  if (document.has("ntp")) trials.push(...(await tryNtp(document)));
  if (trials.length === 0) throw new UsageError(`${file} describes no service to try`);
  print(json ? JSON.stringify(trials) : trialTable(trials));
  return trials.every(({ ok }) => ok) ? 0 : 1;
}

function trialTable(trials: readonly Trial[]): string {
  const rows = trials.map(({ service, vip, ok, milliseconds, answer }) => [
    service,
    vip,
    ok ? "ok" : "FAILED",
    `${milliseconds.toFixed(1)} ms`,
    answer,
  ]);
  return table([["SERVICE", "VIP", "", "TIME", "ANSWER"], ...rows]);
}

/** Runs one trial; a failure of the exchange is a finding, not an end. */
async function trial(service: string, vip: string, ask: () => Promise<Omit<Trial, "service" | "vip">>): Promise<Trial> {
  try {
    return { service, vip, ...(await ask()) };
  } catch (failure) {
    if (!(failure instanceof CommandError)) throw failure;
    return { service, vip, ok: false, milliseconds: 0, answer: failure.message };
  }
}

async function tryDns(document: SiteDocument): Promise<Trial[]> {
  const { listen, routes } = dnsConfig(document);
  const names = [
    "localhost",
    ...routes
      .map(({ zone }) => zone)
      .filter((zone) => zone !== ".")
      .slice(0, 1),
  ];
  const trials: Trial[] = [];
  for (const endpoint of listen) {
    for (const name of names) {
      trials.push(
        await trial("dns", formatEndpoint(endpoint), () => askDns(endpoint, name, name === "localhost" ? "A" : "SOA")),
      );
    }
  }
  return trials;
}

async function askDns(
  endpoint: { address: string; port: number },
  name: string,
  type: "A" | "SOA",
): Promise<Omit<Trial, "service" | "vip">> {
  const id = randomBytes(2).readUInt16BE();
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: 1_232,
    flags: 0,
    options: [{ code: "NSID", data: Buffer.alloc(0) }],
  };
  const query = dnsPacket.encode({
    type: "query",
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ type, name }],
    additionals: [opt as never],
  });
  const { bytes, milliseconds } = await exchange(endpoint, query, () => clock.wallMicros());
  const message = dnsPacket.decode(bytes) as dnsPacket.DecodedPacket & { readonly rcode: string };
  const data = (message.answers ?? [])
    .map((record) => ("data" in record ? shortData(record.data) : record.type))
    .join(" ");
  const ok = message.id === id && message.rcode === "NOERROR";
  return { ok, milliseconds, answer: `${name} ${type}: ${message.rcode} ${data} (answered by ${nsidOf(message)})` };
}

function shortData(data: unknown): string {
  if (typeof data === "string") return data;
  return data !== null && typeof data === "object" && "mname" in data ? String(data.mname) : JSON.stringify(data);
}

/** Site and instance, as the resolver's NSID option says (RFC 5001). */
function nsidOf(message: dnsPacket.DecodedPacket): string {
  for (const record of message.additionals ?? []) {
    if (record.type !== "OPT") continue;
    for (const option of record.options) {
      const { code, data } = option as { readonly code: unknown; readonly data?: Uint8Array };
      if ((code === 3 || code === "NSID") && data !== undefined) return Buffer.from(data).toString("latin1");
    }
  }
  return "nobody who would say";
}

async function trySyslog(document: SiteDocument): Promise<Trial[]> {
  const { listen, store } = syslogConfig(document);
  const trials: Trial[] = [];
  for (const endpoint of listen) {
    trials.push(await trial("syslog", formatEndpoint(endpoint), () => askSyslog(endpoint, store.path)));
  }
  return trials;
}

async function askSyslog(
  endpoint: { address: string; port: number },
  path: string,
): Promise<Omit<Trial, "service" | "vip">> {
  const token = `stitch-try-${randomBytes(6).toString("hex")}`;
  const began = performance.now();
  await sendOnce(endpoint, `<190>1 - - stitch-try - - - ${token}`);
  while (performance.now() - began < ANSWER_LIMIT_MS) {
    for await (const record of readRecords({
      path,
      since: clock.wallMicros() - ANSWER_LIMIT_MS * 2_000,
      text: token,
    })) {
      return {
        ok: true,
        milliseconds: performance.now() - began,
        answer: `"${token}" stored as record ${record.seq}`,
      };
    }
    await pause(20);
  }
  throw new CommandError(`sent "${token}", but it did not appear in ${path}; does the collector run on this machine?`);
}

function sendOnce({ address, port }: { address: string; port: number }, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.send(text, port, address, (failure) => {
      socket.close();
      if (failure === null) resolve();
      else reject(new CommandError(`${address}:${port}: ${failure.message}`));
    });
  });
}

async function tryNtp(document: SiteDocument): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (const endpoint of ntpConfig(document).listen)
    trials.push(await trial("ntp", formatEndpoint(endpoint), () => askTime(endpoint)));
  return trials;
}

async function askTime(endpoint: { address: string; port: number }): Promise<Omit<Trial, "service" | "vip">> {
  const cookie = randomBytes(8);
  const sent = clock.wallMicros();
  const request = encodeClientRequest(cookie);
  const { bytes, milliseconds, arrivedMicros } = await exchange(endpoint, request, () => clock.wallMicros());
  const reply = decodeServerReply(bytes, cookie);
  if (reply === undefined) throw new CommandError("the answer is not a reply to this request");
  const received = wallMicrosOf(reply.receive, sent);
  const answered = wallMicrosOf(reply.transmit, sent);
  const offset = (received - sent + (answered - arrivedMicros)) / 2;
  const synchronised = reply.leap !== LEAP_UNKNOWN;
  const state = synchronised ? `stratum ${reply.stratum}` : "NOT synchronised";
  return { ok: synchronised, milliseconds, answer: `${state}, offset ${(offset / 1_000).toFixed(3)} ms` };
}
