import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { SystemClock, type Duration } from "@stitch/clock";
import { afterEach, expect, test, vi } from "vitest";
import { Health, SelfCheck, type ProbeResult } from "../src/index.ts";

vi.setConfig({ testTimeout: 30_000 });

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

async function loopbackSocket(): Promise<Socket> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  sockets.push(socket);
  return socket;
}

/** Holds the event loop, as a long garbage collection or a stopped process would. */
function standStill(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test("a service whose loop stands still for longer than the probe's limit, again and again, is not called unresponsive", async () => {
  const clock = new SystemClock();
  const health = new Health({ service: "demo", site: "s", instance: "i" }, clock);
  const [server, client] = [await loopbackSocket(), await loopbackSocket()];
  let served = 0;
  server.on("message", (bytes, peer) => {
    // As a batch of linux-io: handed over when the reading is done.
    setImmediate(() => {
      served += 1;
      server.send(bytes, peer.port, peer.address);
    });
  });
  const kinds: string[] = [];
  const probe = (limit: Duration): Promise<ProbeResult> =>
    new Promise((resolve) => {
      const silent = clock.after("probe", limit, () => resolve({ kind: "silent", detail: "no answer" }));
      client.once("message", () => {
        silent.cancel();
        resolve({ kind: "answered" });
      });
      client.send("?", server.address().port, "127.0.0.1", () => standStill(270));
    });
  const codes = new Set<string>();
  health.onChange((report) => report.reasons.forEach((reason) => codes.add(reason.code)));
  const check = new SelfCheck({
    health,
    clock,
    probe: async (limit) => {
      const result = await probe(limit);
      kinds.push(result.kind);
      return result;
    },
    progress: () => served,
    onRenewal: () => {},
  });
  for (let i = 1; i <= 6; i += 1) {
    await check.check();
    await vi.waitFor(() => expect(served).toBe(i), { timeout: 5_000, interval: 2 });
  }
  expect(kinds.filter((kind) => kind === "silent").length).toBeGreaterThanOrEqual(3);
  expect([...codes]).not.toContain("unresponsive");
});
