import { createSocket } from "node:dgram";
import { setTimeout as pause } from "node:timers/promises";

import { milliseconds, SystemClock } from "@stitch/clock";
import { loadNative } from "@stitch/linux-io";
import { afterEach, describe, expect, test } from "vitest";

import { type BfdChange, BfdMonitor, type BfdMonitorOptions } from "../src/index.ts";
import { UdpTransport } from "../src/udp-transport.ts";

// Real threads and sockets on loopback; times are the business of other tests.

const DEADLINE = 30_000;
/** The native part of linux-io tells hop limits, node:dgram does not. */
const HOP_LIMITS_KNOWN = loadNative().native !== undefined;
const monitors: BfdMonitor[] = [];

afterEach(async () => {
  await Promise.all(monitors.splice(0).map((one) => one.stop()));
});

async function eventually<T>(what: string, ask: () => T | undefined | false): Promise<T> {
  for (const end = performance.now() + DEADLINE; ; await pause(10)) {
    const answer = ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`not within ${DEADLINE} ms: ${what}`);
  }
}

function freePort(address: string): Promise<number> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  return new Promise((resolve) => {
    socket.bind(0, address, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

interface Made {
  readonly monitor: BfdMonitor;
  readonly changes: BfdChange[];
}

async function say(text: string, port: number, hopLimit: number): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => void socket.bind(0, "127.0.0.1", resolve));
  socket.setTTL(hopLimit);
  await new Promise<void>((resolve) => void socket.send(text, port, "127.0.0.1", () => resolve()));
  socket.close();
}

function monitor(options: Partial<BfdMonitorOptions>): Made {
  const changes: BfdChange[] = [];
  const made = new BfdMonitor({
    clock: new SystemClock(),
    onChange: (change) => changes.push(change),
    onFailure: (failure) => {
      throw failure;
    },
    unsafeWithoutHopLimit: true,
    ...options,
  });
  monitors.push(made);
  return { monitor: made, changes };
}

async function pair(address: string): Promise<{ a: Made; b: Made; left: number }> {
  const [left, right] = [await freePort(address), await freePort(address)];
  const a = monitor({ port: left, peerPort: right });
  const b = monitor({ port: right, peerPort: left });
  for (const one of [a, b]) one.monitor.set([{ address, interval: milliseconds(300), multiplier: 5 }]);
  await eventually("both are Up", () =>
    [a, b].every((one) => one.monitor.sessions[0]?.state === "Up" && !one.monitor.sessions[0].polling),
  );
  return { a, b, left };
}

describe("threads on loopback", { timeout: 90_000 }, () => {
  test.each(["127.0.0.1", "::1"])(
    "come up by %s from ports of the dynamic range, and tell a planned end",
    async (address) => {
      const { a, b } = await pair(address);
      const [session] = a.monitor.sessions;
      expect(session).toMatchObject({ localAddress: address, ups: 1, problem: undefined, sendFailures: 0 });
      expect(session?.sourcePort).toBeGreaterThanOrEqual(49_152);
      expect(session?.sourcePort).not.toBe(b.monitor.sessions[0]?.sourcePort);
      await a.monitor.stop();
      const end = await eventually("the end is told", () =>
        b.changes.find(({ to, from }) => from === "Up" && to === "Down"),
      );
      expect(end).toMatchObject({ reason: "peer-admin-down", lost: false });
    },
  );

  test("the main thread may stall: sessions stay, and times of changes are on its own clock", async () => {
    const { a, b } = await pair("127.0.0.1");
    const before = a.monitor.sessions[0]?.received ?? 0;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000); // twice the detection time
    await eventually("news of the thread", () => (a.monitor.sessions[0]?.received ?? 0) > before + 8);
    expect([...a.changes, ...b.changes].filter(({ from }) => from === "Up")).toEqual([]);
    expect(a.monitor.sessions[0]?.ups).toBe(1);
    a.monitor.set([]);
    const asked = performance.now();
    const end = await eventually("the end is told", () => b.changes.find(({ from }) => from === "Up"));
    expect(end.at).toBeGreaterThanOrEqual(asked - 1);
    expect(end.at).toBeLessThanOrEqual(performance.now());
  });

  test("reports its lag and what it refused", async () => {
    const { a, left } = await pair("127.0.0.1");
    await say("hello", left, 255);
    await eventually("the neighbour's is counted", () => a.monitor.report.refused["unsupported-version"] === 1);
    await say("hello", left, 64);
    const afar = HOP_LIMITS_KNOWN ? "hop-limit" : "unsupported-version";
    const expected = HOP_LIMITS_KNOWN ? 1 : 2;
    await eventually("the stranger's is counted", () => a.monitor.report.refused[afar] === expected);
    expect(a.monitor.report.lag).toBeGreaterThanOrEqual(0);
    expect(a.monitor.report.lag).toBeLessThan(10_000);
  });

  test("without hop limits no session is spoken; with them it needs no permission", async () => {
    const port = await freePort("127.0.0.1");
    const { monitor: refused } = monitor({ port, unsafeWithoutHopLimit: false });
    refused.set([{ address: "127.0.0.1" }]);
    const answer = await eventually("spoken or refused", () => {
      const [session] = refused.sessions;
      return session?.problem?.reason ?? ((session?.sent ?? 0) > 0 ? "spoken" : undefined);
    });
    expect(answer).toBe(HOP_LIMITS_KNOWN ? "spoken" : "hop-limit-unknown");
    expect(refused.sessions[0]?.sent === 0).toBe(!HOP_LIMITS_KNOWN);
  });

  test("a port that another holds is a problem with the command that finds it, until it is free", async () => {
    const holder = createSocket("udp4");
    await new Promise<void>((resolve) => void holder.bind(0, "127.0.0.1", resolve));
    const { monitor: late } = monitor({ port: holder.address().port });
    late.set([{ address: "127.0.0.1" }]);
    const problem = await eventually("the problem is told", () => late.sessions[0]?.problem);
    expect(problem).toMatchObject({ reason: "cannot-bind" });
    expect(problem.text).toMatch(/^cannot bind udp 127\.0\.0\.1:\d+: another program holds it; find it with `/);
    await new Promise<void>((resolve) => void holder.close(resolve));
    await eventually("it is spoken", () => (late.sessions[0]?.sent ?? 0) > 0);
  });
});

test("a peer to which there is no way is told as such, so that it can be tried again", async () => {
  const transport = new UdpTransport({
    clock: new SystemClock(),
    port: 0,
    peerPort: 3784,
    unsafeWithoutHopLimit: true,
  });
  // Not without SO_BROADCAST: the system refuses it on any machine, whatever its routes.
  await expect(transport.sourceFor("255.255.255.255")).rejects.toMatchObject({ reason: "no-route" });
});
