import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { milliseconds, SystemClock } from "@stitch/clock";
import { createLogger, createRegistry, OutcomeCounter } from "@stitch/health";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Collector } from "../src/collector.ts";
import { REASON, REASONS, type Reason } from "../src/reasons.ts";
import { SelfProbe } from "../src/self-probe.ts";
import { SyslogServer } from "../src/server.ts";
import { warmUp } from "../src/warm-up.ts";
import { arrivalsOf } from "./arrivals.ts";
import type { Arrival } from "../src/record-line.ts";
import { eventually, openBench, tidy, type Bench } from "./stores.ts";

// Files and processes on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 30_000 });

const IDENTITY = { service: "syslog", site: "nyc", instance: "nyc-1" };
const clock = new SystemClock();

let bench: Bench;
let probe: SelfProbe;
let server: SyslogServer;
let outcomes: OutcomeCounter<Reason>;

beforeEach(async () => {
  bench = await openBench();
  probe = new SelfProbe(clock, "secret");
  outcomes = new OutcomeCounter(createRegistry(IDENTITY), "stitch_syslog_datagrams_total", "x", "reason", REASONS);
  const collector = new Collector(bench.store.journal, probe);
  const listen = [
    { address: "127.20.2.14", port: 0 },
    { address: "127.20.2.15", port: 0 },
  ];
  server = await SyslogServer.open({ listen, clock, log: createLogger(IDENTITY, "silent"), collector, outcomes });
  await probe.open(server.sockets.map(({ local }) => local));
});

afterEach(async () => {
  await server.close();
  probe.close();
  await tidy();
});

test("10,000 numbered messages over loopback are all stored, in order", async () => {
  const socket = createSocket("udp4");
  const { address, port } = server.sockets[0]?.local ?? { address: "", port: 0 };
  for (let i = 0; i < 10_000; i += 1) {
    socket.send(`<13>1 - h a - - - ${i}`, port, address);
    if (i % 50 === 0) await eventually(() => outcomes.total > i - 500, "the collector keeps up");
  }
  await eventually(() => outcomes.total === 10_000, "all collected");
  socket.close();
  await bench.store.journal.flush();
  const records = await bench.records();
  expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1));
  expect(records.map(({ message }) => message)).toEqual(Array.from({ length: 10_000 }, (_, i) => String(i)));
  expect(outcomes.counts[REASON.rfc5424]).toBe(10_000);
});

describe("the self-check", () => {
  test("sends a message through each VIP in turn, gets it back as a record, and stores nothing", async () => {
    for (let i = 0; i < 4; i += 1) expect(await probe.probe(milliseconds(250))).toEqual({ kind: "answered" });
    expect(outcomes.counts[REASON.selfCheck]).toBe(4);
    expect(server.sockets.map(({ counters }) => counters.received)).toEqual([2, 2]);
    await bench.store.journal.flush();
    expect(await bench.records()).toEqual([]);
  });

  test("is silent when nothing collects, and says what it asked", async () => {
    const [{ local } = { local: { address: "", port: 0 } }] = server.sockets;
    await server.close();
    expect(await probe.probe(milliseconds(20))).toEqual({
      kind: "silent",
      detail: `a message to ${local.address} port ${local.port} was not collected within 20 ms`,
    });
  });

  test("does not take a stranger's copy of its message for its own", async () => {
    const socket = createSocket("udp4");
    const { address, port } = server.sockets[0]?.local ?? { address: "", port: 0 };
    const forged = `<46>1 - localhost stitch - SELFCHECK [selfCheck@32473 token="secret"] 00000001`;
    socket.send(forged, port, address);
    await eventually(() => outcomes.total === 1, "collected");
    socket.close();
    await bench.store.journal.flush();
    expect(outcomes.counts[REASON.selfCheck]).toBe(0);
    expect((await bench.records()).map(({ raw }) => raw)).toEqual([forged]);
  });

  test("does not take its message for its own when it comes from the right port of another host", async () => {
    const sink = createSocket("udp4");
    await new Promise<void>((resolve) => void sink.bind(0, "127.20.2.16", resolve));
    const own = new SelfProbe(clock, "secret");
    await own.open([{ address: "127.20.2.16", port: sink.address().port }]);
    const received = once(sink, "message");
    await own.warm(1);
    const [bytes, { port }] = (await received) as [Buffer, RemoteInfo];
    const fromHost = (address: string): Arrival => {
      const { peers, locals } = arrivalsOf([{ bytes, from: { address, port } }]);
      const place = { start: 0, end: bytes.length, seconds: 0, nanoseconds: 0, peerOffset: 0, localOffset: 0 };
      return { bytes, peers, locals, truncated: false, ...place };
    };
    expect(own.matches(fromHost("127.0.0.1"))).toBe(true);
    expect(own.matches(fromHost("192.0.2.1"))).toBe(false);
    own.close();
    sink.close();
  });

  test("warming the receive path stores nothing", async () => {
    await probe.warm(100);
    await eventually(() => outcomes.total === 200, "all recognised");
    expect(outcomes.counts[REASON.selfCheck]).toBe(200);
  });
});

test("warming up drives the paths without touching the store", async () => {
  await warmUp(clock, 20);
  expect(await bench.names()).toEqual([]);
});
