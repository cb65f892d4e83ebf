import { execFileSync } from "node:child_process";
import { connect, Server } from "node:net";

import { seconds, SystemClock } from "@stitch/clock";
import { afterEach, describe, expect, test, vi } from "vitest";

import {
  BgpListener,
  BgpSession,
  formatPrefix,
  parsePrefix,
  type Prefix,
  type SessionEvent,
  TcpTransport,
} from "../src/index.ts";

const UNTIL = { timeout: 10_000, interval: 5 };
const common = { clock: new SystemClock(), transport: new TcpTransport(), random: (): number => 0 };
const open: { stop: () => Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.stop();
});

async function listener(
  address: string,
  peers: "any" | readonly { address: string; asn: number }[] = "any",
): Promise<{ monitor: BgpListener; heard: SessionEvent[] }> {
  const heard: SessionEvent[] = [];
  const monitor = new BgpListener({
    ...common,
    local: { asn: 65001, routerId: "192.0.2.1" },
    peers,
    watchAll: 1_000,
    onEvent: (event) => heard.push(event),
  });
  await monitor.listen(address, 0);
  open.push({ stop: () => monitor.close() });
  return { monitor, heard };
}

function session(
  address: string,
  port: number | undefined,
  asn = 65001,
): { speaker: BgpSession; told: SessionEvent[] } {
  const told: SessionEvent[] = [];
  const speaker = new BgpSession({
    ...common,
    peer: { address, port: port ?? 0, asn },
    local: { asn: 65101, routerId: "192.0.2.2" },
    families: ["ipv4", "ipv6"],
    onEvent: (event) => told.push(event),
  });
  open.push({ stop: () => speaker.stop() });
  speaker.start();
  return { speaker, told };
}

describe("over real TCP", () => {
  test.each(["127.0.0.1", "::1"])("a session on %s carries a route, withdraws it and stops", async (address) => {
    const { monitor, heard } = await listener(address);
    const { speaker } = session(address, monitor.port);
    const vip = parsePrefix("10.10.10.53/32");
    if (vip === undefined) throw new Error("not a prefix");
    speaker.set([{ prefix: vip, nextHop: "192.0.2.2" }]);
    await vi.waitFor(
      () => expect(heard.some((event) => event.kind === "path" && event.path?.nextHop === "192.0.2.2")).toBe(true),
      UNTIL,
    );
    speaker.set([]);
    await vi.waitFor(
      () => expect(heard.some((event) => event.kind === "path" && event.path === undefined)).toBe(true),
      UNTIL,
    );
    await speaker.stop("done");
    await vi.waitFor(
      () => expect(heard).toContainEqual(expect.objectContaining({ kind: "notification", text: "done" })),
      UNTIL,
    );
    expect(speaker.state).toBe("Idle");
  });

  test("nobody listening is tcp-failed with the system's words", async () => {
    const { monitor } = await listener("127.0.0.1");
    const { port } = monitor;
    await monitor.close();
    const { told } = session("127.0.0.1", port);
    await vi.waitFor(
      () =>
        expect(
          told.some(
            (event) => event.kind === "state" && event.reason === "tcp-failed" && event.detail.includes("ECONNREFUSED"),
          ),
        ).toBe(true),
      UNTIL,
    );
  });

  test("a listener with configured peers turns strangers away, and a second session with Cease/7", async () => {
    const { monitor } = await listener("127.0.0.1", [{ address: "127.0.0.1", asn: 65101 }]);
    const first = session("127.0.0.1", monitor.port);
    await vi.waitFor(() => expect(first.speaker.state).toBe("Established"), UNTIL);
    const second = session("127.0.0.1", monitor.port);
    await vi.waitFor(
      () => expect(second.told.some((event) => event.kind === "state" && event.reason === "collision")).toBe(true),
      UNTIL,
    );
    expect(first.speaker.state).toBe("Established");

    const strangers = await listener("127.0.0.1", [{ address: "127.0.0.9", asn: 65101 }]);
    const third = session("127.0.0.1", strangers.monitor.port);
    await vi.waitFor(
      () => expect(third.told.some((event) => event.kind === "state" && event.reason === "peer-closed")).toBe(true),
      UNTIL,
    );
    expect(strangers.monitor.sessions).toEqual([]);
  });

  test("a listener says which address it cannot have", async () => {
    const { monitor } = await listener("127.0.0.1");
    const other = new BgpListener({
      ...common,
      local: { asn: 65001, routerId: "192.0.2.1" },
      peers: "any",
      onEvent: () => {},
    });
    await expect(other.listen("127.0.0.1", monitor.port ?? 0)).rejects.toThrow(/EADDRINUSE.*127\.0\.0\.1/);
  });
});

describe("a stranger at the listener", () => {
  test("who resets the connection before it is accepted leaves no trace and does no harm", async () => {
    const { monitor, heard } = await listener("127.0.0.1");
    // The listener's own process waits meanwhile, so that the kernel accepts and the reset is there first.
    const script = `const s = require("node:net").connect(${monitor.port}, "127.0.0.1", () => s.resetAndDestroy())`;
    execFileSync(process.execPath, ["-e", script]);
    const { speaker } = session("127.0.0.1", monitor.port);
    await vi.waitFor(() => expect(speaker.state).toBe("Established"), UNTIL);
    expect(monitor.sessions).toHaveLength(1);
    expect(heard.filter((event) => event.kind === "state").map((event) => event.to)).not.toContain("Idle");
  });

  test("who sends without pause gets no more than 256 KiB read in one turn of the event loop", async () => {
    let total = 0;
    let turn = 0;
    let longest = 0;
    const counting = {
      opened: () => {},
      closed: () => {},
      received: (bytes: Uint8Array) => void (turn += bytes.length),
    };
    const listening = await common.transport.listen({ address: "127.0.0.1", port: 0 }, () => counting);
    const size = 16 * 1_024 * 1_024;
    const stranger = connect(listening.port, "127.0.0.1", () => stranger.end(new Uint8Array(size)));
    const deadline = performance.now() + UNTIL.timeout;
    while (total < size && performance.now() < deadline) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      total += turn;
      longest = Math.max(longest, turn);
      turn = 0;
    }
    stranger.destroy();
    await listening.close();
    expect(total).toBe(size);
    expect(longest).toBeLessThanOrEqual(256 * 1_024);
  });

  test("cannot end the listener through an error of accept, however often", async () => {
    const listen = vi.spyOn(Server.prototype, "listen");
    await listener("127.0.0.1");
    const server = listen.mock.contexts[0] as Server;
    listen.mockRestore();
    expect([1, 2].map(() => server.emit("error", new Error("accept ENOBUFS")))).toEqual([true, true]);
  });
});

const HOST_BITS: Prefix = { family: "ipv4", address: "10.10.10.53", length: 24 };

describe("options", () => {
  const base = { ...common, local: { asn: 65101, routerId: "192.0.2.2" }, onEvent: (): void => {} };
  const peer = { address: "192.0.2.1", asn: 65001 };
  const cases = [
    ["a name instead of an address", { ...base, peer: { ...peer, address: "router.example" } }, /router\.example/],
    ["hold time zero", { ...base, peer: { ...peer, holdTime: seconds(0) } }, /hold time 0 ms/],
    ["a hold time of two seconds", { ...base, peer: { ...peer, holdTime: seconds(2) } }, /hold time 2000 ms/],
    ["a port that is none", { ...base, peer: { ...peer, port: 70_000 } }, /70000/],
    ["router id zero", { ...base, local: { asn: 1, routerId: "0.0.0.0" }, peer }, /router id/],
    ["an AS of zero", { ...base, peer: { ...peer, asn: 0 } }, /peer AS 0/],
    ["a name to connect from", { ...base, peer: { ...peer, localAddress: "eth0" } }, /eth0/],
    ["an address of the other family to connect from", { ...base, peer: { ...peer, localAddress: "::1" } }, /::1/],
    ["an unlimited view that is not a number", { ...base, peer, watchAll: Number.NaN }, /NaN/],
    ["a watched prefix with host bits", { ...base, peer, watch: [HOST_BITS] }, /10\.10\.10\.53\/24/],
  ] as const;

  test.each(cases)("%s is refused with its value", (_name, options, text) => {
    expect(() => new BgpSession(options)).toThrow(text);
  });
});

describe("a listener", () => {
  const base = { ...common, local: { asn: 65001, routerId: "192.0.2.1" }, onEvent: (): void => {} };

  test.each([
    ["router id", { ...base, local: { asn: 1, routerId: "::1" }, peers: "any" }, /router id ::1/],
    ["peer's name", { ...base, peers: [{ address: "router.example", asn: 1 }] }, /router\.example/],
    ["peer's AS", { ...base, peers: [{ address: "192.0.2.2", asn: -1 }] }, /peer AS -1/],
  ] as const)("refuses a bad %s when it is made, not when a stranger connects", (_name, options, text) => {
    expect(() => new BgpListener(options)).toThrow(text);
  });

  test("knows its peers however their addresses are spelled", async () => {
    const { monitor } = await listener("::1", [{ address: "0:0:0:0:0:0:0:1", asn: 65101 }]);
    const { speaker } = session("::1", monitor.port);
    await vi.waitFor(() => expect(speaker.state).toBe("Established"), UNTIL);
  });

  test("that is closed and listens again takes its peers again", async () => {
    const { monitor } = await listener("127.0.0.1", [{ address: "127.0.0.1", asn: 65101 }]);
    const first = session("127.0.0.1", monitor.port);
    await vi.waitFor(() => expect(first.speaker.state).toBe("Established"), UNTIL);
    await first.speaker.stop();
    await monitor.close();
    await monitor.listen("127.0.0.1", 0);
    const second = session("127.0.0.1", monitor.port);
    await vi.waitFor(() => expect(second.speaker.state).toBe("Established"), UNTIL);
  });
});

describe("advertisements", () => {
  const prefix = { family: "ipv4", address: "10.10.10.53", length: 32 } as const;
  const cases = [
    ["host bits", { prefix: { ...prefix, length: 24 } }, /host bits/],
    ["a next hop of the other family", { prefix, nextHop: "fd00::1" }, /fd00::1/],
    ["a negative MED", { prefix, med: -1 }, /med -1/],
    ["a signed community", { prefix, communities: [65_535 << 16] }, /community -65536/],
    ["BLACKHOLE", { prefix, communities: [0xffff029a] }, /BLACKHOLE/],
    ["a hundred prepends", { prefix, prepend: 100 }, /prepend 100/],
  ] as const;

  test.each(cases)("with %s are refused with the value", (_name, advertisement, text) => {
    const speaker = new BgpSession({
      ...common,
      local: { asn: 65101, routerId: "192.0.2.2" },
      peer: { address: "192.0.2.1", asn: 65001 },
      onEvent: () => {},
    });
    expect(() => speaker.set([advertisement])).toThrow(text);
    expect(formatPrefix(advertisement.prefix)).toContain("10.10.10.53");
  });
});
