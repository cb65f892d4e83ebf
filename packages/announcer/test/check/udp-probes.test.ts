/** The probes that speak UDP and TCP, each against a small server on loopback that answers right, wrong or not at all. */
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { SystemClock } from "@stitch/clock";
import { afterEach, describe, expect, test } from "vitest";
import { dnsProbe } from "../../src/check/dns.ts";
import { ntpProbe } from "../../src/check/ntp.ts";
import type { Probe } from "../../src/check/observer.ts";
import { syslogProbe, TOKEN } from "../../src/check/syslog.ts";
import { tcpProbe } from "../../src/check/tcp.ts";
import { encodeName } from "../../src/check/wire/dns.ts";

const clock = new SystemClock();
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

type Answer = (request: Buffer, reply: (bytes: Uint8Array) => void) => void;

async function udpServer(answer: Answer): Promise<{ address: string; port: number }> {
  const socket: Socket = createSocket("udp4");
  socket.on("message", (request, { address, port }) => answer(request, (bytes) => socket.send(bytes, port, address)));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  closing.push(() => socket.close());
  return { address: "127.0.0.1", port: socket.address().port };
}

async function run(probe: Probe, limit = 5_000): Promise<unknown> {
  return probe(AbortSignal.timeout(limit)).then(
    ({ verdict, detail }) => [verdict, detail],
    (failure: NodeJS.ErrnoException) => (typeof failure.code === "string" ? failure.code : failure.message),
  );
}

/** The query as a response with this rcode. */
function answered(query: Buffer, rcode: number): Buffer {
  const response = Buffer.from(query);
  response.writeUInt16BE(0x81_80 | rcode, 2);
  return response;
}

describe("dns", () => {
  const name = encodeName("probe.Example") as Uint8Array;
  const probe = (target: { address: string; port: number }): Probe =>
    dnsProbe({ target, localAddress: undefined, name, type: "A" });

  test.each([
    [0, "pass"],
    [3, "pass"],
    [2, "degraded"],
    [5, "fail"],
  ])("rcode %d is %s", async (rcode, verdict) => {
    const target = await udpServer((query, reply) => reply(answered(query, rcode)));
    expect(await run(probe(target))).toEqual([verdict, expect.any(String)]);
  });

  test("is not fooled by another ID, another question, a query, or rubbish, and finds the answer after them", async () => {
    const target = await udpServer((query, reply) => {
      const otherId = answered(query, 0);
      otherId[0] = (otherId[0] ?? 0) ^ 1;
      const otherName = answered(query, 0);
      otherName[13] = 0x78;
      const upperCase = Buffer.from(answered(query, 0).toString("latin1").replace("probe", "PROBE"), "latin1");
      for (const bytes of [otherId, otherName, query, Buffer.alloc(0), Buffer.alloc(3), upperCase]) reply(bytes);
    });
    expect(await run(probe(target))).toEqual(["pass", "answered NOERROR with 0 records"]);
  });

  test("ends when it is told to, and says that a port is closed", async () => {
    const target = await udpServer(() => undefined);
    expect(await run(probe(target), 50)).toBe("given up");
    closing.splice(0).forEach((close) => close());
    expect(await run(probe(target))).toBe("ECONNREFUSED");
  });
});

function ntpReply(request: Buffer, first: number, stratum: number, id = "GPS\0"): Buffer {
  const packet = Buffer.alloc(48);
  packet[0] = first;
  packet[1] = stratum;
  packet.write(id, 12, "latin1");
  request.copy(packet, 24, 40, 48);
  return packet;
}
const askTime = (target: { address: string; port: number }): Probe => ntpProbe({ target, localAddress: undefined });

describe("ntp", () => {
  test.each<[string, number, number, string, [string, string]]>([
    ["time passes", 0x24, 2, "GPS\0", ["pass", "serves time at stratum 2"]],
    ["leap 3 is no time", 0xe4, 2, "GPS\0", ["fail", "says that its clock is not synchronised (stratum 2)"]],
    ["stratum 16 is no time", 0x24, 16, "GPS\0", ["fail", "says that its clock is not synchronised (stratum 16)"]],
    ["a kiss is no time", 0xe4, 0, "RATE", ["fail", "answered with the kiss code RATE instead of time"]],
    [
      "nor is one that would upset a terminal",
      0xe4,
      0,
      "\u001B[2J",
      ["fail", "answered with the kiss code ?[2J instead of time"],
    ],
  ])("%s", async (_name, first, stratum, id, expected) => {
    const target = await udpServer((request, send) => send(ntpReply(request, first, stratum, id)));
    expect(await run(askTime(target))).toEqual(expected);
  });

  test("is not fooled by a reply to another request, a short one, or its own request", async () => {
    const target = await udpServer((request, send) => {
      for (const bytes of [ntpReply(Buffer.alloc(48, 7), 0x24, 1), request.subarray(0, 40), request]) send(bytes);
      send(ntpReply(request, 0x24, 3));
    });
    expect(await run(askTime(target))).toEqual(["pass", "serves time at stratum 3"]);
  });
});

async function pages(body: (url: string) => string, status: () => number = () => 200): Promise<string> {
  const server: Server = createServer((request, response) => response.writeHead(status()).end(body(request.url ?? "")));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("syslog", () => {
  const counter = "stitch_syslog_datagrams_total";

  test("passes when the very message can be read, however late within the check", async () => {
    const kept: string[] = [];
    let looks = 0;
    const target = await udpServer((message) => void kept.push(message.toString()));
    const base = await pages(() => ((looks += 1) < 3 ? "" : kept.join("\n")));
    const probe = syslogProbe(
      { target, localAddress: undefined, readBack: `${base}/search?q=${TOKEN}`, counter },
      clock,
    );
    expect(await run(probe)).toEqual(["pass", "the message was read back"]);
    expect(kept[0]).toMatch(
      /^<14>1 - - stitch-announcer - PROBE \[probe@32473 token="[0-9a-f-]{36}"\] probe [0-9a-f-]{36}$/,
    );
  });

  test("does not take another message for its own", async () => {
    const target = await udpServer(() => undefined);
    const base = await pages((url) => `no record matches ${url.length} characters`);
    const probe = syslogProbe(
      { target, localAddress: undefined, readBack: `${base}/search?q=${TOKEN}`, counter },
      clock,
    );
    expect(await run(probe, 300)).toMatch(/abort/i);
  });

  test.each([404, 500, 302])("does not believe a page with status %i that repeats the URL", async (status) => {
    const target = await udpServer(() => undefined);
    const base = await pages(
      (url) => `cannot GET ${url}`,
      () => status,
    );
    const readBack = `${base}/search?q=${TOKEN}`;
    const probe = syslogProbe({ target, localAddress: undefined, readBack, counter }, clock);
    expect(await run(probe, 300)).toMatch(/abort/i);
  });

  test("does not read a counter from a page that is an error", async () => {
    let stored = 7;
    let looks = 0;
    const target = await udpServer(() => void (stored += 1));
    const text = (): string => `${counter}{reason="stored"} ${stored}\n`;
    const check = { target, localAddress: undefined, counter };
    const broken = await pages(text, () => 503);
    const probe = syslogProbe({ ...check, readBack: `${broken}/metrics` }, clock);
    expect(await run(probe, 300)).toEqual(["fail", expect.stringMatching(/HTTP 503 at 127\.0\.0\.1/)]);
    const breaks = await pages(text, () => ((looks += 1) === 1 ? 200 : 500));
    expect(await run(syslogProbe({ ...check, readBack: `${breaks}/metrics` }, clock), 300)).toMatch(/abort/i);
  });

  test("passes when the collector's counter grows, its own self-check aside", async () => {
    let stored = 7;
    let own = 0;
    const target = await udpServer(() => void (stored += 1));
    const base = await pages(
      () => `# HELP x\n${counter}{reason="stored"} ${stored}\n${counter}{reason="self-check"} ${(own += 1)}\n`,
    );
    const check = { target, localAddress: undefined, readBack: `${base}/metrics`, counter };
    expect(await run(syslogProbe(check, clock))).toEqual(["pass", `${counter} has grown`]);
    const deaf = await udpServer(() => undefined);
    expect(await run(syslogProbe({ ...check, target: deaf }, clock), 300)).toMatch(/abort/i);
    expect(await run(syslogProbe({ ...check, counter: "absent_total" }, clock))).toEqual([
      "fail",
      expect.stringContaining("has no metric absent_total"),
    ]);
  });
});

describe("tcp", () => {
  test("passes when the connection is made, rejects when it is refused", async () => {
    const server = createTcpServer((socket) => socket.on("error", () => undefined));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const target = { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
    const probe = tcpProbe({ target, localAddress: "127.0.0.1" });
    expect(await run(probe)).toEqual(["pass", `connected to 127.0.0.1 port ${target.port}`]);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect(await run(probe)).toBe("ECONNREFUSED");
  });
});
