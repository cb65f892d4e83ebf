import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { milliseconds, SystemClock } from "@stitch/clock";
import type { HealthReport } from "@stitch/health";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LeaseCheck, type LeaseLoss } from "../src/check/lease.ts";

const REPORT = {
  service: "dns",
  site: "nyc",
  instance: "nyc-1",
  phase: "serving",
  verdict: "pass",
  load: 0,
  reasons: [],
} as const satisfies HealthReport;

const RENEWAL = 'event: renewal\ndata: {"sequence":1,"load":0}\n\n';

interface Seen {
  readonly reports: HealthReport[];
  readonly losses: LeaseLoss[];
  renewals: number;
}

let server: Server;
let streams: ServerResponse[];
let answerWith: (response: ServerResponse) => void;
let seen: Seen;
let check: LeaseCheck;

beforeEach(async () => {
  streams = [];
  seen = { reports: [], losses: [], renewals: 0 };
  answerWith = (response) => response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  server = createServer((_request, response) => {
    streams.push(response);
    answerWith(response);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  check = open((server.address() as AddressInfo).port);
});

afterEach(() => {
  check.stop();
  server.closeAllConnections();
  server.close();
});

function open(port: number): LeaseCheck {
  return new LeaseCheck({
    url: new URL(`http://127.0.0.1:${port}/health/lease`),
    timeout: milliseconds(300),
    clock: new SystemClock(),
    observer: {
      report: (report) => void seen.reports.push(report),
      renewed: () => void (seen.renewals += 1),
      lost: (reason) => void seen.losses.push(reason),
    },
  });
}

async function nthStream(n: number): Promise<ServerResponse> {
  await vi.waitFor(() => expect(streams.length).toBeGreaterThanOrEqual(n), 5_000);
  return streams[n - 1] as ServerResponse;
}

function verdict(stream: ServerResponse, report: HealthReport = REPORT): void {
  stream.write(`event: verdict\ndata: ${JSON.stringify(report)}\n\n`);
}

describe("the lease check", () => {
  test("hands over reports and renewals, in pieces as small as the network makes them", async () => {
    check.start();
    const stream = await nthStream(1);
    for (const byte of `event: verdict\ndata: ${JSON.stringify(REPORT)}\n\nevent: renewal\ndata: {"sequence":1,"load":0.5}\n\n`) {
      stream.write(byte);
    }
    await vi.waitFor(() => expect([seen.reports, seen.renewals]).toEqual([[REPORT], 1]), 5_000);
    expect(seen.losses).toEqual([]);
  });

  test("takes the end of the stream as the end of the process, once, and asks again soon", async () => {
    check.start();
    verdict(await nthStream(1));
    await vi.waitFor(() => expect(seen.reports).toHaveLength(1), 5_000);
    (await nthStream(1)).destroy();
    await nthStream(2);
    expect(seen.losses).toEqual(["lease-closed"]);
  });

  test("loses the lease when no renewal comes, though the stream stays open", async () => {
    check.start();
    verdict(await nthStream(1));
    await vi.waitFor(() => expect(seen.losses).toEqual(["lease-expired"]), 5_000);
  });

  test("is not kept by verdicts: only a renewal proves a self-check", async () => {
    check.start();
    const stream = await nthStream(1);
    const flapping = setInterval(() => verdict(stream), 50);
    try {
      await vi.waitFor(() => expect(seen.losses).toEqual(["lease-expired"]), 5_000);
    } finally {
      clearInterval(flapping);
    }
  });

  test("stays with a service that says it is dead and renews nothing: its route is gone, and it may recover", async () => {
    check.start();
    const stream = await nthStream(1);
    verdict(stream);
    verdict(stream, { ...REPORT, verdict: "fail" });
    await vi.waitFor(() => expect(seen.reports).toHaveLength(2), 5_000);
    expect(await Promise.race([nthStream(2).then(() => "reconnected"), sleepUntilTwiceTheTimeout()])).toBe("waited");
    expect(seen.losses).toEqual([]);
    verdict(stream);
    await vi.waitFor(() => expect(seen.losses).toEqual(["lease-expired"]), 5_000);
  });

  test("after a stall of its own first reads what has been waiting", async () => {
    check.start();
    const stream = await nthStream(1);
    verdict(stream);
    await vi.waitFor(() => expect(seen.reports).toHaveLength(1), 5_000);
    verdict(stream, { ...REPORT, phase: "starting" });
    stallUntilTheTimeoutIsOver();
    await vi.waitFor(() => expect(seen.reports).toHaveLength(2), 5_000);
    expect(await Promise.race([nthStream(2).then(() => "reconnected"), sleepUntilTwiceTheTimeout()])).toBe("waited");
    expect(seen.losses).toEqual([]);
  });

  test("after a stall of the whole machine gives the service its turn", async () => {
    check.start();
    const stream = await nthStream(1);
    verdict(stream);
    await vi.waitFor(() => expect(seen.reports).toHaveLength(1), 5_000);
    stallUntilTheTimeoutIsOver();
    const own = new SystemClock().after("self-check", milliseconds(50), () => stream.write(RENEWAL));
    await vi.waitFor(() => expect(seen.renewals + seen.losses.length).toBe(1), 5_000);
    own.cancel();
    expect(seen.losses).toEqual([]);
  });

  test("forgives a stall once: who says nothing in its turn is lost", async () => {
    check.start();
    verdict(await nthStream(1));
    await vi.waitFor(() => expect(seen.reports).toHaveLength(1), 5_000);
    stallUntilTheTimeoutIsOver();
    await vi.waitFor(() => expect(seen.losses).toEqual(["lease-expired"]), 5_000);
  });

  test("waits for a service that is still starting", async () => {
    check.start();
    const stream = await nthStream(1);
    verdict(stream, { ...REPORT, phase: "starting" });
    await vi.waitFor(() => expect(seen.reports).toHaveLength(1), 5_000);
    const patience = Promise.race([nthStream(2).then(() => "reconnected"), sleepUntilTwiceTheTimeout()]);
    expect(await patience).toBe("waited");
    expect(seen.losses).toEqual([]);
  });

  test("calls a service that answers with an error refused", async () => {
    answerWith = (response) => response.writeHead(503).end();
    check.start();
    await vi.waitFor(() => expect(seen.losses.length).toBeGreaterThan(1), 5_000);
    expect(new Set(seen.losses)).toEqual(new Set(["lease-refused"]));
  });

  test("calls a port where nothing listens refused", async () => {
    const { port } = server.address() as AddressInfo;
    server.close();
    check = open(port);
    check.start();
    await vi.waitFor(() => expect(seen.losses[0]).toBe("lease-refused"), 5_000);
  });

  test.each([
    ["an endless line", "x".repeat(70_000)],
    ["an endless event", `data: ${"y".repeat(70_000)}\ndata: z`],
  ])("cuts off a stream that is %s", async (_name, text) => {
    check.start();
    (await nthStream(1)).write(text);
    await vi.waitFor(() => expect(seen.losses[0]).toBe("lease-refused"), 5_000);
  });

  test.each(["not json", "{}", '{"phase":"flying","verdict":"pass","reasons":[]}', "null", "[]"])(
    "does not believe a verdict of %s",
    async (data) => {
      check.start();
      const stream = await nthStream(1);
      stream.write(`event: verdict\ndata: ${data}\n\nevent: renewal\ndata: nonsense\n\n`);
      await vi.waitFor(() => expect(seen.renewals).toBe(1), 5_000);
      expect(seen.reports).toEqual([]);
    },
  );

  test("closes the stream on release without calling it a loss", async () => {
    check.start();
    const stream = await nthStream(1);
    verdict(stream);
    await vi.waitFor(() => expect(seen.reports).toHaveLength(1), 5_000);
    const closed = new Promise<void>((resolve) => void stream.on("close", resolve));
    check.release();
    await closed;
    expect(seen.losses).toEqual([]);
  });
});

/** Blocks this thread, service and announcer alike, for longer than the lease's timeout. */
function stallUntilTheTimeoutIsOver(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
}

/** Proof of patience needs real time to pass; twice the lease's timeout is enough. */
function sleepUntilTwiceTheTimeout(): Promise<string> {
  return new Promise((resolve) => void setTimeout(resolve, 600, "waited"));
}
