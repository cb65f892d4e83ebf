import { BlockList } from "node:net";
import { GRACEFUL_SHUTDOWN, formatPrefix, type Prefix } from "@stitch/bgp-speaker";
import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { createRegistry } from "@stitch/health";
import { beforeEach, describe, expect, test } from "vitest";
import { Journal } from "../src/journal.ts";
import { registerKernelMetrics } from "../src/metrics.ts";
import type { KernelTables } from "../src/speaker/ip-output.ts";
import type { RouteTable } from "../src/speaker/ip-command.ts";
import { kernelRouteFor, type Difference, type KernelRoute } from "../src/speaker/kernel-route.ts";
import { KernelSpeaker } from "../src/speaker/kernel.ts";
import { Deadman } from "../src/speaker/watchdog/deadman.ts";
import { flush } from "../src/speaker/watchdog/flush.ts";
import type { Watchdog, WatchdogEvent } from "../src/speaker/watchdog/watchdog.ts";

const DNS: Prefix = { family: "ipv4", address: "10.10.10.53", length: 32 };
const NTP6: Prefix = { family: "ipv6", address: "fd00:10:10::123", length: 128 };
const NTP: Prefix = { family: "ipv4", address: "10.10.10.123", length: 32 };

/** The kernel's main table: what is in it, how often somebody forked, and a way to make it refuse. */
class FakeTable implements RouteTable {
  readonly routes = new Map<string, KernelRoute>();
  readonly local = new BlockList();
  readonly onInterface = new Set<string>();
  reads = 0;
  readonly families: Prefix["family"][] = [];
  changes = 0;
  refusal: string | undefined;

  get names(): string[] {
    return [...this.routes.keys()].toSorted();
  }

  read(family: Prefix["family"]): Promise<KernelTables> {
    this.reads += 1;
    this.families.push(family);
    const { local, onInterface } = this;
    return this.#answer({ routes: [...this.routes.values()], local, onInterface });
  }

  change({ add, remove }: Difference): Promise<void> {
    this.changes += 1;
    let missing = false;
    for (const route of this.refusal === undefined ? add : []) this.routes.set(nameOf(route), route);
    for (const route of this.refusal === undefined ? remove : [])
      missing = !this.routes.delete(nameOf(route)) || missing;
    return missing ? Promise.reject(new Error("ip: No such process")) : this.#answer<void>(undefined);
  }

  #answer<T>(value: T): Promise<T> {
    return this.refusal === undefined ? Promise.resolve(value) : Promise.reject(new Error(this.refusal));
  }
}

function nameOf({ prefix, type }: KernelRoute): string {
  return `${type} ${formatPrefix(prefix)}`;
}

class FakeWatchdog implements Watchdog {
  running = false;
  tell: (event: WatchdogEvent) => void = () => undefined;
  covered: readonly Prefix[] = [];
  cover(prefixes: readonly Prefix[]): void {
    this.covered = prefixes;
  }
  start(): void {
    this.running = true;
  }
  stop(): void {
    this.running = false;
  }
}

let clock: FakeClock;
let table: FakeTable;
let watchdog: FakeWatchdog;
let journal: Journal;
let speaker: KernelSpeaker;

const settled = async (): Promise<void> => {
  for (let i = 0; i < 50; i += 1) await Promise.resolve();
};
const advance = async (ms: number): Promise<void> => {
  await clock.run(milliseconds(ms));
  await settled();
};
const told = (): string[] =>
  journal.entries.map((entry) => {
    if (entry.kind === "session") return entry.reason;
    return entry.kind === "update" ? `+${entry.announced.join()} -${entry.withdrawn.join()}` : entry.kind;
  });

beforeEach(async () => {
  clock = new FakeClock();
  table = new FakeTable();
  watchdog = new FakeWatchdog();
  journal = new Journal(undefined, clock, (failure) => expect.fail(failure.message));
  speaker = new KernelSpeaker({
    prefixes: [DNS, NTP],
    table,
    openWatchdog: (onEvent) => {
      watchdog.tell = onEvent;
      return watchdog;
    },
    clock,
    journal,
  });
});

describe("the kernel speaker", () => {
  test("adds what is wished, changes it to last resort, and removes what is not wished, one process each", async () => {
    speaker.start();
    await settled();
    expect([speaker.established, watchdog.running]).toEqual([true, true]);
    speaker.set([{ prefix: DNS }, { prefix: NTP }]);
    await settled();
    expect(table.names).toEqual(["unicast 10.10.10.123/32", "unicast 10.10.10.53/32"]);
    speaker.set([{ prefix: DNS, communities: [GRACEFUL_SHUTDOWN] }]);
    await settled();
    expect(table.names).toEqual(["blackhole 10.10.10.53/32"]);
    expect([table.reads, table.changes]).toEqual([1, 2]);
    expect(told()).toEqual(["+10.10.10.53/32,10.10.10.123/32 -", "+10.10.10.53/32 -10.10.10.123/32"]);
  });

  test("does nothing for a wish that is fulfilled already", async () => {
    speaker.start();
    for (let i = 0; i < 5; i += 1) {
      speaker.set([{ prefix: DNS }]);
      await settled();
    }
    expect(table.changes).toBe(1);
  });

  test("comes to the last of many wishes that arrive while ip is at work", async () => {
    speaker.start();
    for (let i = 0; i < 20; i += 1) speaker.set(i % 2 === 0 ? [{ prefix: DNS }] : []);
    speaker.set([{ prefix: NTP }]);
    await settled();
    expect(table.names).toEqual(["unicast 10.10.10.123/32"]);
    expect(table.changes).toBeLessThan(4);
  });

  test("removes at its start what an announcer before it has left", async () => {
    table.routes.set("left", { ...kernelRouteFor({ prefix: NTP }), metric: 7 });
    table.change = ({ remove }) => {
      expect(remove.map(({ metric }) => metric)).toEqual([7]);
      table.routes.clear();
      return Promise.resolve();
    };
    speaker.start();
    await settled();
    expect([table.names, told()[0]]).toEqual([[], "route-leftover"]);
  });

  test("puts back within seconds what somebody has removed", async () => {
    speaker.start();
    speaker.set([{ prefix: DNS }]);
    await settled();
    table.routes.clear();
    await advance(seconds(2));
    expect(table.names).toEqual(["unicast 10.10.10.53/32"]);
    expect(told()).toContain("route-missing");
  });

  test("takes a line that failed because its work was done already for success", async () => {
    speaker.start();
    speaker.set([{ prefix: DNS }]);
    await settled();
    table.routes.clear();
    speaker.set([]);
    await settled();
    expect([speaker.failure, speaker.asserted]).toEqual(["", []]);
  });

  test("says so when the tables cannot be changed, goes on trying, and says when they can again", async () => {
    speaker.start();
    await settled();
    table.refusal = "ip: did not end within 2000 ms";
    speaker.set([{ prefix: DNS }]);
    await settled();
    expect([speaker.established, speaker.failure]).toEqual([false, "ip: did not end within 2000 ms"]);
    await advance(2_000);
    table.refusal = undefined;
    await advance(300);
    expect([speaker.established, speaker.failure, table.names]).toEqual([true, "", ["unicast 10.10.10.53/32"]]);
    expect(told().filter((word) => word.startsWith("ip-"))).toEqual(["ip-failed", "ip-recovered"]);
    expect(speaker.counts.get("ip-failed")).toBe(1);
  });

  test("is still heard while it reads the tables again: a drain must not take that for silence", async () => {
    speaker.start();
    speaker.set([{ prefix: DNS }]);
    await settled();
    await clock.run(seconds(2));
    expect(speaker.established).toBe(true);
  });

  test("asserts its routes again after a watchdog that took it for dead", async () => {
    speaker.start();
    speaker.set([{ prefix: DNS }]);
    await settled();
    table.routes.clear();
    watchdog.tell({ kind: "flushed", detail: "no heartbeat: 1 routes removed" });
    await settled();
    expect([table.names, told().includes("watchdog-flushed")]).toEqual([["unicast 10.10.10.53/32"], true]);
  });

  test("knows which addresses the local table delivers here, once it has read it", async () => {
    table.local.addAddress("10.10.10.53", "ipv4");
    expect(speaker.hasAddress("10.10.10.53")).toBeUndefined();
    speaker.start();
    await settled();
    expect([speaker.hasAddress("10.10.10.53"), speaker.hasAddress("10.10.10.123")]).toEqual([true, false]);
    expect(speaker.hasAddress("fd00::1")).toBeUndefined();
  });

  test("takes other VIPs while it runs: the watchdog hears of them first, and a family that is new is read at once", async () => {
    speaker.start();
    speaker.set([{ prefix: DNS }]);
    await settled();
    expect(table.families).toEqual(["ipv4"]);
    speaker.watch([DNS, NTP6]);
    expect(watchdog.covered).toEqual([DNS, NTP6]);
    await settled();
    expect(table.families).toEqual(["ipv4", "ipv4", "ipv6"]);
    speaker.set([{ prefix: DNS }, { prefix: NTP6 }]);
    await settled();
    expect(table.names).toEqual(["unicast 10.10.10.53/32", "unicast fd00:10:10::123/128"]);
    expect(table.changes).toBe(2);
  });

  test("reads for VIPs that come while it reads: what it is reading now is of those before", async () => {
    speaker.start();
    speaker.watch([DNS, NTP6]);
    await speaker.read();
    await settled();
    expect(table.families).toContain("ipv6");
    expect(speaker.hasAddress("fd00:10:10::123")).toBe(false);
  });

  test("says once that a VIP is an address of an interface, where its route decides nothing", async () => {
    table.onInterface.add("10.10.10.53").add("10.1.0.10");
    speaker.start();
    await settled();
    await advance(seconds(4));
    expect([speaker.misplaced, told()]).toEqual([["10.10.10.53/32"], ["address-on-interface"]]);
  });

  test("tells Prometheus how many routes it has, and what it had to put right", async () => {
    const registry = createRegistry({ service: "announcer", site: "nyc", instance: "nyc-1" });
    registerKernelMetrics(registry, speaker);
    speaker.start();
    speaker.set([{ prefix: DNS }]);
    await settled();
    table.routes.clear();
    await advance(seconds(2));
    const values = [
      ...(await registry.metrics()).matchAll(/^stitch_announcer_kernel_(\w+)\{(reason="[^"]*")?.* (\d)$/gm),
    ];
    const seen = Object.fromEntries(values.map(([, name, reason = "", value]) => [`${name} ${reason}`.trim(), value]));
    expect(seen).toMatchObject({ routes: "1", working: "1", watched: "1" });
    expect(seen).toMatchObject({ 'events_total reason="route-missing"': "1", 'events_total reason="ip-failed"': "0" });
  });

  test("leaves nothing behind when it stops, and lets its watchdog go", async () => {
    speaker.start();
    speaker.set([{ prefix: DNS }]);
    await settled();
    await speaker.stop("");
    expect([table.names, watchdog.running]).toEqual([[], false]);
    const { reads } = table;
    await advance(10_000);
    expect(table.reads).toBe(reads);
  });
});

describe("the watchdog", () => {
  test("bites once after six looks without a heartbeat, and again only after another heartbeat", async () => {
    let bites = 0;
    const deadman = new Deadman(clock, seconds(3), () => void (bites += 1));
    for (let i = 0; i < 20; i += 1) {
      await clock.run(milliseconds(500));
      deadman.beat();
    }
    expect(bites).toBe(0);
    await clock.run(seconds(10));
    expect(bites).toBe(1);
    deadman.beat();
    await clock.run(seconds(3));
    expect(bites).toBe(2);
    deadman.stop();
    await clock.run(seconds(30));
    expect(bites).toBe(2);
  });

  test("removes the routes of our VIPs and nothing else, and looks again", async () => {
    const other = kernelRouteFor({ prefix: { family: "ipv4", address: "10.9.9.9", length: 32 } });
    for (const route of [kernelRouteFor({ prefix: DNS }), other]) table.routes.set(nameOf(route), route);
    const flushed = flush(table, [DNS, NTP], clock);
    for (let i = 0; i < 5; i += 1) await advance(100);
    expect([await flushed, table.names]).toEqual([1, ["unicast 10.9.9.9/32"]]);
  });

  test("tries again while ip fails", async () => {
    const route = kernelRouteFor({ prefix: DNS });
    table.routes.set(nameOf(route), route);
    table.refusal = "ip: fork: out of memory";
    const flushed = flush(table, [DNS], clock);
    for (let i = 0; i < 5; i += 1) await advance(100);
    table.refusal = undefined;
    for (let i = 0; i < 5; i += 1) await advance(100);
    expect([await flushed, table.names]).toEqual([1, []]);
  });
});
