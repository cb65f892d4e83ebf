import { connect } from "node:net";
import { once } from "node:events";
import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { pino } from "pino";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  counterFrom,
  DRAIN_LIMIT,
  gaugeFrom,
  LINGER,
  OutcomeCounter,
  Service,
  type Probe,
  type ServiceContext,
  type ServiceOptions,
  type ServingParts,
} from "../src/index.ts";
import { LeaseReader } from "./lease-reader.ts";

vi.setConfig({ testTimeout: 30_000 });

const POLL = { timeout: 5_000, interval: 2 };
const IDENTITY = { service: "demo", site: "nyc", instance: "nyc-1" };
const answered: Probe = async () => ({ kind: "answered" });

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});

/** A service on loopback whose time is moved by hand. */
class Running {
  readonly clock = new FakeClock();
  readonly lines: Record<string, unknown>[] = [];
  readonly log = pino({ level: "info" }, { write: (line: string) => void this.lines.push(JSON.parse(line)) });
  readonly events: string[] = [];
  probe: Probe = answered;
  context!: ServiceContext;
  service!: Service;

  static async start(
    parts: Partial<ServingParts> = {},
    extend: (context: ServiceContext) => void = () => {},
    paths?: ServiceOptions["paths"],
  ): Promise<Running> {
    const running = new Running();
    running.service = await Service.start({
      identity: IDENTITY,
      clock: running.clock,
      log: running.log,
      listenHealth: { address: "127.0.0.1", port: 0 },
      paths,
      start: async (context) => {
        running.context = context;
        extend(context);
        return {
          probe: (limit) => running.probe(limit),
          progress: () => 0,
          warm: async () => {},
          close: async () => void running.events.push("closed"),
          ...parts,
        };
      },
    });
    cleanups.push(() => running.stop());
    return running;
  }

  static async serving(
    parts: Partial<ServingParts> = {},
    extend?: (context: ServiceContext) => void,
  ): Promise<Running> {
    const running = await Running.start(parts, extend);
    await running.clock.run(milliseconds(200));
    if (running.service.health.phase !== "serving") throw new Error("the service does not serve");
    return running;
  }

  get(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.service.healthPort}${path}`, init);
  }

  async lease(): Promise<LeaseReader> {
    const reader = await LeaseReader.open(this.service.healthPort);
    cleanups.unshift(() => reader.close());
    return reader;
  }

  logged(message: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line["msg"] === message);
  }

  async stop(): Promise<void> {
    const state = { stopped: false };
    const stopping = this.service.stop().finally(() => (state.stopped = true));
    for (let i = 0; i < 1_000 && !state.stopped; i += 1) await this.clock.run(seconds(1), seconds(1));
    await stopping;
  }
}

describe("endpoints", () => {
  test("/health is 503 while starting, 200 while serving, 503 while draining", async () => {
    const running = await Running.start();
    const starting = await running.get("/health");
    expect([starting.status, await starting.json()]).toEqual([
      503,
      { ...IDENTITY, phase: "starting", verdict: "pass", load: 0, reasons: [] },
    ]);
    await running.clock.run(milliseconds(200));
    expect((await running.get("/health")).status).toBe(200);
    const holder = await running.lease();
    void running.service.stop();
    const draining = await running.get("/health");
    expect([draining.status, await draining.json()]).toMatchObject([503, { phase: "draining" }]);
    holder.close();
  });

  test("/health is 200 when degraded and 503 when failing, and says why", async () => {
    const running = await Running.serving();
    running.context.health.raise("upstreams-unreachable", "dependency", "10.0.0.2");
    const degraded = await running.get("/health");
    expect([degraded.status, await degraded.json()]).toMatchObject([
      200,
      { verdict: "degraded", reasons: [{ code: "upstreams-unreachable", class: "dependency", detail: "10.0.0.2" }] },
    ]);
    running.context.health.raise("store-unwritable", "dead", "ENOSPC");
    const failing = await running.get("/health");
    expect([failing.status, await failing.json()]).toMatchObject([503, { phase: "serving", verdict: "fail" }]);
  });

  test("/livez is 200 whatever the verdict", async () => {
    const running = await Running.start();
    running.context.health.raise("x", "dead", "");
    expect((await running.get("/livez")).status).toBe(200);
  });

  test("HEAD works for pollers but cannot hold a lease, and nothing takes a POST", async () => {
    const running = await Running.serving();
    expect((await running.get("/health", { method: "HEAD" })).status).toBe(200);
    expect((await running.get("/health/lease", { method: "HEAD" })).status).toBe(404);
    expect((await running.get("/health/lease", { method: "POST", body: "x" })).status).toBe(404);
    expect((await running.get("/health", { method: "POST", body: "x".repeat(100_000) })).status).toBe(413);
    expect((await running.get("/nothing")).status).toBe(404);
    expect(await (await running.get("/metrics")).text()).toContain("stitch_health_lease_holders{");
  });

  test("a role has paths of its own beside them, bounded in the same way", async () => {
    const running = await Running.start({}, undefined, (app) => {
      app.get("/cache", (_request, reply) => reply.code(418).send({ role: "demo" }));
    });
    const own = await running.get("/cache");
    expect([own.status, await own.json()]).toEqual([418, { role: "demo" }]);
    expect((await running.get("/livez")).status).toBe(200);
    expect((await running.get("/cache", { method: "POST", body: "x".repeat(100_000) })).status).toBe(413);
  });

  test("more connections than any set of checkers needs are not accepted, and room is made again", async () => {
    const running = await Running.serving();
    const sockets = Array.from({ length: 200 }, () => connect(running.service.healthPort, "127.0.0.1"));
    let closed = 0;
    for (const socket of sockets) socket.on("error", () => {}).on("close", () => (closed += 1));
    cleanups.unshift(() => sockets.forEach((socket) => socket.destroy()));
    await vi.waitFor(() => expect(closed).toBeGreaterThanOrEqual(200 - 128), POLL);
    for (const socket of sockets) socket.destroy();
    await vi.waitFor(async () => expect((await running.get("/livez")).status).toBe(200), POLL);
  });
});

describe("the way to serving", () => {
  test("needs warm-up, then an answered check", async () => {
    const { promise: warmed, resolve } = Promise.withResolvers<void>();
    const running = await Running.start({ warm: () => warmed });
    running.probe = async () => ({ kind: "silent", detail: "" });
    await running.clock.run(seconds(1));
    expect(running.service.selfChecks).toBe(0);
    resolve();
    await running.clock.run(seconds(1));
    expect(running.service.selfChecks).toBeGreaterThan(0);
    expect(running.service.health.phase).toBe("starting");
    running.probe = answered;
    await running.clock.run(seconds(1));
    expect(running.service.health.phase).toBe("serving");
  });

  test("is not opened by progress without an answer, nor by a wrong one", async () => {
    let served = 0;
    const running = await Running.start({ progress: () => (served += 1) });
    running.probe = async () => ({ kind: "silent", detail: "" });
    await running.clock.run(seconds(1));
    expect(running.service.health.report).toMatchObject({ phase: "starting", reasons: [{ code: "overloaded" }] });
    running.probe = async () => ({ kind: "wrong", detail: "" });
    await running.clock.run(seconds(1));
    expect(running.service.health.phase).toBe("starting");
  });

  test("waits for a dead reason to clear", async () => {
    const running = await Running.start({}, ({ health }) => health.raise("clock-unsynchronised", "dead", ""));
    await running.clock.run(seconds(1));
    expect(running.service.health.phase).toBe("starting");
    running.context.health.clear("clock-unsynchronised");
    await running.clock.run(milliseconds(200));
    expect(running.service.health.phase).toBe("serving");
  });

  test("a warm-up that fails is a reason and is tried again", async () => {
    let attempts = 0;
    const running = await Running.start({
      warm: async () => {
        attempts += 1;
        if (attempts < 3) throw new Error("ENOSPC");
      },
    });
    await running.clock.run(milliseconds(500));
    expect(running.service.health.report).toMatchObject({
      phase: "starting",
      verdict: "fail",
      reasons: [{ code: "warm-up-failed", class: "dead", detail: "ENOSPC" }],
    });
    await running.clock.run(seconds(3));
    expect(attempts).toBe(3);
    expect(running.service.health.report).toMatchObject({ phase: "serving", verdict: "pass" });
  });

  test("a start that fails closes the health endpoint", async () => {
    let port = 0;
    const running = new Running();
    const starting = Service.start({
      identity: IDENTITY,
      clock: running.clock,
      log: running.log,
      listenHealth: { address: "127.0.0.1", port: 0 },
      start: async () => {
        throw new Error("no socket");
      },
    });
    await expect(starting).rejects.toThrow("no socket");
    const first = await Running.start();
    port = first.service.healthPort;
    await first.stop();
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow("fetch failed");
  });

  test("a taken health port says so", async () => {
    const first = await Running.start();
    const port = first.service.healthPort;
    const second = Service.start({
      identity: IDENTITY,
      clock: first.clock,
      log: first.log,
      listenHealth: { address: "127.0.0.1", port },
      start: () => Promise.reject(new Error("never called")),
    });
    await expect(second).rejects.toMatchObject({
      name: "BindError",
      code: "EADDRINUSE",
      message: `cannot bind the health endpoint on tcp 127.0.0.1:${port}: another program holds it; stop that one or choose another \`health\` address`,
    });
  });
});

describe("the lease", () => {
  test("begins with the verdict and is renewed by every completed check, by nothing else", async () => {
    const running = await Running.serving();
    running.context.health.load = 0.1234;
    const lease = await running.lease();
    expect([lease.status, lease.contentType]).toEqual([200, "text/event-stream"]);
    await vi.waitFor(() => expect(lease.named("verdict")).toMatchObject([{ phase: "serving", verdict: "pass" }]), POLL);
    await running.clock.run(milliseconds(300));
    await vi.waitFor(() => expect(lease.named("renewal")).toHaveLength(3), POLL);
    const sequences = lease.named("renewal").map(({ sequence }) => Number(sequence));
    expect(sequences).toEqual([0, 1, 2].map((i) => (sequences[0] ?? 0) + i));
    expect(lease.named("renewal")[0]).toMatchObject({ load: 0.123 });
    running.probe = async () => ({ kind: "silent", detail: "" });
    await running.clock.run(seconds(2));
    await vi.waitFor(() => expect(lease.named("verdict").at(-1)).toMatchObject({ verdict: "fail" }), POLL);
    expect(lease.named("renewal")).toHaveLength(3);
  });

  test("tells a changed verdict at once, and mere rewording with the next renewal", async () => {
    const running = await Running.serving();
    const lease = await running.lease();
    const { health } = running.context;
    health.raise("sink-behind", "dependency", "1 record");
    for (let i = 2; i < 1_000; i += 1) health.raise("sink-behind", "dependency", `${i} records`);
    await vi.waitFor(() => expect(lease.named("verdict")).toHaveLength(2), POLL);
    expect(lease.named("verdict")[1]).toMatchObject({ verdict: "degraded", reasons: [{ detail: "1 record" }] });
    await running.clock.run(milliseconds(100));
    await vi.waitFor(() => expect(lease.named("verdict")).toHaveLength(3), POLL);
    expect(lease.named("verdict")[2]).toMatchObject({ reasons: [{ detail: "999 records" }] });
    expect(running.logged("health").filter(({ verdict }) => verdict === "degraded")).toHaveLength(1);
  });

  test("has room for sixteen holders; the next is told to come back, and a place is free when one leaves", async () => {
    const running = await Running.serving();
    const holders = await Promise.all(Array.from({ length: 16 }, () => running.lease()));
    expect(holders.map((holder) => holder.status)).toEqual(Array.from({ length: 16 }, () => 200));
    expect((await running.lease()).status).toBe(503);
    holders[3]?.close();
    await vi.waitFor(async () => expect((await running.lease()).status).toBe(200), POLL);
  });

  test("is held once per connection: requests queued behind a lease take no place, not even when they vanish", async () => {
    const running = await Running.serving();
    const socket = connect(running.service.healthPort, "127.0.0.1");
    await once(socket, "connect");
    socket.write("GET /health/lease HTTP/1.1\r\nhost: x\r\n\r\n".repeat(40));
    const holders = async (): Promise<string | undefined> =>
      /stitch_health_lease_holders\{[^}]*\} (\d+)/.exec(await (await running.get("/metrics")).text())?.[1];
    await vi.waitFor(async () => expect(await holders()).toBe("1"), POLL);
    socket.destroy();
    await vi.waitFor(async () => expect(await holders()).toBe("0"), POLL);
  });

  test("survives holders that vanish in the middle of everything", async () => {
    const running = await Running.serving();
    for (let i = 0; i < 30; i += 1) {
      const socket = connect(running.service.healthPort, "127.0.0.1");
      await once(socket, "connect");
      socket.write("GET /health/lease HTTP/1.1\r\nhost: x\r\n\r\n");
      if (i % 3 === 0) socket.destroy();
      else if (i % 3 === 1) socket.resetAndDestroy();
      else socket.end("GET /health/lease HTTP/1.1\r\nhost: x\r\n\r\n");
      await running.clock.run(milliseconds(100));
      socket.destroy();
    }
    await vi.waitFor(async () => expect((await running.lease()).status).toBe(200), POLL);
    expect(running.service.health.verdict).toBe("pass");
  });

  test("cuts off a holder that never reads, before it costs memory", async () => {
    const running = await Running.serving();
    const socket = connect(running.service.healthPort, "127.0.0.1");
    await once(socket, "connect");
    socket.pause();
    let cut = false;
    socket.on("error", () => {}).on("close", () => (cut = true));
    socket.write("GET /health/lease HTTP/1.1\r\nhost: x\r\n\r\n");
    const reader = await running.lease();
    const { health } = running.context;
    for (let i = 0; i < 40; i += 1) {
      health.raise(`reason-${i}`, "load", "x".repeat(256));
      await running.clock.run(milliseconds(1));
    }
    await vi.waitFor(
      async () => {
        for (let i = 0; i < 50; i += 1) {
          health.clear("reason-0");
          health.raise("reason-0", "load", "x".repeat(256));
          await running.clock.run(milliseconds(1));
        }
        expect(await (await running.get("/metrics")).text()).toMatch(/stitch_health_lease_holders\{[^}]*\} 1\n/);
      },
      { timeout: 30_000, interval: 1 },
    );
    socket.resume();
    await vi.waitFor(() => expect(cut).toBe(true), POLL);
    expect(reader.ended).toBe(false);
  });
});

describe("stopping", () => {
  test("with no holder: draining, linger, sockets, endpoint", async () => {
    const running = await Running.serving();
    const stopping = running.service.stop();
    await running.clock.run(milliseconds(LINGER - 100));
    expect(running.events).toEqual([]);
    expect((await running.get("/health")).status).toBe(503);
    await running.clock.run(milliseconds(200));
    await stopping;
    expect(running.events).toEqual(["closed"]);
    await expect(running.get("/livez")).rejects.toThrow("fetch failed");
    expect(running.clock.waiting).toEqual([]);
  });

  test("with holders: they hear it at once, the service serves on until the last has let go, then lingers", async () => {
    const running = await Running.serving();
    const [first, second] = [await running.lease(), await running.lease()];
    void running.service.stop();
    for (const lease of [first, second]) {
      await vi.waitFor(
        () => expect(lease.named("verdict").at(-1)).toMatchObject({ phase: "draining", verdict: "pass" }),
        POLL,
      );
    }
    first.close();
    await running.clock.run(seconds(10));
    expect(running.events).toEqual([]);
    await vi.waitFor(() => expect(second.named("renewal").length).toBeGreaterThan(50), POLL);
    second.close();
    await vi.waitFor(async () => {
      await running.clock.run(milliseconds(100));
      expect(running.clock.waiting).toContain("linger");
    }, POLL);
    await running.clock.run(LINGER);
    expect(running.events).toEqual(["closed"]);
  });

  test("a holder that never lets go is waited for no longer than the limit", async () => {
    const running = await Running.serving();
    const lease = await running.lease();
    const stopping = running.service.stop();
    await running.clock.run(milliseconds(DRAIN_LIMIT - 1_000), milliseconds(100));
    expect(running.events).toEqual([]);
    await running.clock.run(milliseconds(1_000 + LINGER), milliseconds(100));
    await stopping;
    expect(running.events).toEqual(["closed"]);
    await vi.waitFor(() => expect(lease.ended).toBe(true), POLL);
  });

  test("twice is once", async () => {
    const running = await Running.serving();
    expect(running.service.stop()).toBe(running.service.stop());
    await running.stop();
    expect(running.events).toEqual(["closed"]);
    expect(running.logged("stopped")).toHaveLength(1);
  });

  test("during warm-up leaves no self-check behind", async () => {
    const { promise: warmed, resolve } = Promise.withResolvers<void>();
    const running = await Running.start({ warm: () => warmed });
    await running.stop();
    resolve();
    await running.clock.run(seconds(1));
    expect(running.clock.waiting).toEqual([]);
    expect(running.service.selfChecks).toBe(0);
  });

  test.each<[string, () => Promise<void>, string]>([
    ["fails", () => Promise.reject(new Error("EIO")), "could not close in order"],
    [
      "throws",
      () => {
        throw new Error("EIO");
      },
      "could not close in order",
    ],
    ["never ends", () => new Promise(() => {}), "could not close in time"],
  ])("a part whose closing %s is logged and does not keep the endpoint open", async (_what, close, line) => {
    const running = await Running.serving({ close });
    await running.stop();
    expect(running.logged(line)).toHaveLength(1);
    await expect(running.get("/livez")).rejects.toThrow("fetch failed");
  });
});

describe("metrics", () => {
  test("say of the service what /health says, with its identity on every sample", async () => {
    const running = await Running.serving();
    running.context.health.load = 0.25;
    running.context.health.raise("upstreams-unreachable", "dependency", "");
    const response = await running.get("/metrics");
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const labels = '{service="demo",site="nyc",instance="nyc-1"}';
    expect(samples).toEqual([
      `stitch_health_verdict${labels} 1`,
      `stitch_health_serving${labels} 1`,
      `stitch_health_load${labels} 0.25`,
      `stitch_health_lease_holders${labels} 0`,
      `stitch_health_self_checks_total${labels} 2`,
    ]);
  });

  test("of a service: outcomes by reason, from slots; a value that cannot be read does not spoil the rest", async () => {
    let drops = 3;
    let outcomes: OutcomeCounter<"answered" | "malformed"> | undefined;
    const running = await Running.serving({}, ({ registry }) => {
      outcomes = new OutcomeCounter(registry, "stitch_demo_total", "Outcomes", "reason", ["answered", "malformed"]);
      counterFrom(registry, "stitch_demo_drops_total", "Drops", () => drops);
      gaugeFrom(registry, "stitch_demo_size", "Size", () => 7);
    });
    outcomes?.count(0);
    outcomes?.count(0);
    outcomes?.count(99);
    expect(outcomes?.total).toBe(2);
    const text = await (await running.get("/metrics")).text();
    expect(text).toContain('stitch_demo_total{reason="answered",service="demo",site="nyc",instance="nyc-1"} 2\n');
    expect(text).toContain('stitch_demo_total{reason="malformed",service="demo",site="nyc",instance="nyc-1"} 0\n');
    expect(text).toMatch(/stitch_demo_drops_total\{.*\} 3\n/);
    expect(text).toMatch(/stitch_demo_size\{.*\} 7\n/);
    for (const unreadable of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      drops = unreadable;
      const again = await running.get("/metrics");
      expect([again.status, await again.text()]).toEqual([
        200,
        expect.stringMatching(/stitch_demo_drops_total\{.*\} 0\n/),
      ]);
    }
  });
});
