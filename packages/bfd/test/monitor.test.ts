import { milliseconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";

import { type BfdChange, BfdMonitor, BFD_PORT, RESTART_WAIT, STOP_WAIT } from "../src/index.ts";
import type { WorkerOrder, WorkerSettings } from "../src/protocol.ts";
import { noneRefused } from "../src/reasons.ts";
import type { BfdStatus } from "../src/status.ts";
import type { ThreadEvents } from "../src/worker-transport.ts";

const PEER = { address: "192.0.2.2" } as const;

/** Threads that the test plays. */
class Loom {
  readonly clock = new FakeClock();
  readonly threads: { settings: WorkerSettings; events: ThreadEvents; orders: WorkerOrder[]; terminated: boolean }[] =
    [];
  readonly changes: BfdChange[] = [];
  readonly failures: string[] = [];
  readonly monitor = new BfdMonitor({
    clock: this.clock,
    onChange: (change) => this.changes.push(change),
    onFailure: (failure) => this.failures.push(failure.message),
    start: (settings, events) => {
      const thread = { settings, events, orders: [] as WorkerOrder[], terminated: false };
      this.threads.push(thread);
      return {
        post: (order) => thread.orders.push(order),
        terminate: () => {
          thread.terminated = true;
          events.ended(undefined);
        },
      };
    },
  });

  reportUp(): void {
    const session = { address: PEER.address, state: "Up" } as BfdStatus;
    const report = {
      sessions: [session],
      refused: noneRefused(),
      lag: milliseconds(3),
      precedence: "realtime" as const,
    };
    this.threads.at(-1)?.events.notice({ kind: "report", report });
  }
}

describe("the monitor", () => {
  test("starts its thread with the first wish and gives it each whole wish, defaults filled in", () => {
    const loom = new Loom();
    loom.monitor.set([]);
    expect(loom.threads).toHaveLength(0);
    loom.monitor.set([PEER]);
    loom.monitor.set([{ ...PEER, interval: milliseconds(50), multiplier: 4 }, { address: "2001:DB8:0::1" }]);
    const wanted = { address: "192.0.2.2", localAddress: undefined, interval: 300, multiplier: 3 };
    expect(loom.threads).toHaveLength(1);
    expect(loom.threads[0]?.settings).toEqual({ port: BFD_PORT, peerPort: BFD_PORT, unsafeWithoutHopLimit: false });
    expect(loom.threads[0]?.orders).toEqual([
      { kind: "set", peers: [wanted] },
      {
        kind: "set",
        peers: [
          { ...wanted, interval: 50, multiplier: 4 },
          { ...wanted, address: "2001:db8::1" },
        ],
      },
    ]);
  });

  test("hands on changes, and keeps the last report", () => {
    const loom = new Loom();
    loom.monitor.set([PEER]);
    const change = { ...PEER, from: "Init", to: "Up", reason: "handshake-complete", lost: false } as const;
    loom.threads[0]?.events.notice({ kind: "change", change: { ...change, at: loom.clock.now() } });
    loom.reportUp();
    expect(loom.changes).toMatchObject([change]);
    expect(loom.monitor.report).toMatchObject({ lag: 3, precedence: "realtime" });
    expect(loom.monitor.sessions.map(({ state }) => state)).toEqual(["Up"]);
  });

  test("stops by asking, and by force when the thread does not end", async () => {
    const polite = new Loom();
    polite.monitor.set([PEER]);
    const stopped = polite.monitor.stop();
    expect(polite.monitor.stop()).toBe(stopped);
    expect(polite.threads[0]?.orders.at(-1)).toEqual({ kind: "stop" });
    polite.threads[0]?.events.ended(undefined);
    await stopped;
    expect(polite.clock.waiting).toEqual([]);
    expect(polite.failures).toEqual([]);

    const hung = new Loom();
    hung.monitor.set([PEER]);
    const forced = hung.monitor.stop();
    hung.clock.advance(STOP_WAIT);
    await forced;
    expect(hung.threads[0]?.terminated).toBe(true);
  });

  test("that was never used stops at once, and takes no wish afterwards", async () => {
    const loom = new Loom();
    await loom.monitor.stop();
    loom.monitor.set([PEER]);
    expect(loom.threads).toHaveLength(0);
  });

  test("says when its thread dies, without calling it a loss, and starts another with the last wish", async () => {
    const loom = new Loom();
    loom.monitor.set([PEER]);
    loom.reportUp();
    loom.threads[0]?.events.ended(new Error("out of memory"));
    expect(loom.failures).toEqual(["out of memory"]);
    expect(loom.changes).toMatchObject([{ from: "Up", to: "AdminDown", reason: "worker-lost", lost: false }]);
    expect(loom.monitor.sessions).toEqual([]);
    loom.monitor.set([PEER, { address: "192.0.2.3" }]);
    expect(loom.threads).toHaveLength(1);
    loom.clock.advance(RESTART_WAIT);
    expect(loom.threads).toHaveLength(2);
    expect(loom.threads[1]?.orders).toMatchObject([{ kind: "set", peers: [PEER, { address: "192.0.2.3" }] }]);
    loom.threads[1]?.events.ended(undefined);
    expect(loom.failures[1]).toBe("the BFD thread has ended by itself");
    await loom.monitor.stop();
    loom.clock.advance(RESTART_WAIT);
    expect(loom.threads).toHaveLength(2);
  });

  test.each([
    [[{ address: "router" }], "BFD peer router: is no IPv4 or IPv6 address"],
    [
      [{ address: "fe80::1" }],
      "BFD peer fe80::1: link-local addresses are not supported; use a global or unique local one",
    ],
    [[PEER, PEER], "BFD peer 192.0.2.2 is listed twice"],
    [
      [{ address: "::1", localAddress: "127.0.0.1" }],
      "BFD peer ::1: its local address 127.0.0.1 is of the other family",
    ],
    [[{ ...PEER, localAddress: "here" }], "BFD peer 192.0.2.2: here is no address"],
    [[{ ...PEER, interval: milliseconds(10) }], "BFD peer 192.0.2.2: interval 10ms is not within 50ms to 1m"],
    [[{ ...PEER, multiplier: 0 }], "BFD peer 192.0.2.2: multiplier 0 is not a whole number from 1 to 255"],
    [Array.from({ length: 65 }, (_, i) => ({ address: `192.0.2.${i}` })), "65 BFD peers; at most 64"],
  ])("refuses what cannot be a session, and changes nothing: %j", (peers, message) => {
    const loom = new Loom();
    expect(() => loom.monitor.set(peers)).toThrow(new RangeError(message));
    expect(loom.threads).toHaveLength(0);
  });
});
