import { seconds, SystemClock, type Clock } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createRegistry, Health, WorkerGroup, WorkerTable, workersHere, type Logger } from "../src/index.ts";
import { LAYOUT, type DemoWorkers } from "./child/demo-workers.ts";

vi.setConfig({ testTimeout: 30_000 });

const POLL = { timeout: 15_000, interval: 10 };
const IDENTITY = { service: "demo", site: "s", instance: "i" };

const groups: WorkerGroup<DemoWorkers>[] = [];
afterEach(async () => {
  await Promise.all(groups.splice(0).map((group) => group.close()));
});

async function opened(
  workers: number,
  start: DemoWorkers["settings"]["start"] = "well",
  clock: Clock = new SystemClock(),
) {
  const health = new Health(IDENTITY, clock);
  const registry = createRegistry(IDENTITY);
  const failures: Error[] = [];
  const heard: string[] = [];
  const group = await WorkerGroup.open<DemoWorkers>({
    module: new URL("child/worker.ts", import.meta.url),
    workers,
    layout: LAYOUT,
    settings: { start },
    context: { identity: IDENTITY, clock, health, registry, fail: (failure) => failures.push(failure) },
    onMessage: ({ did, bytes }, worker) =>
      heard.push(`${worker}: ${did}${bytes === undefined ? "" : ` ${bytes.join()}`}`),
  });
  groups.push(group);
  return { group, health, registry, failures, heard };
}

describe("a group of workers", () => {
  test("starts as many as it is told, hears them, counts what they count, and publishes it", async () => {
    const { group, heard, registry, health } = await opened(3);
    expect(group.ready.map(({ greeting }) => greeting)).toEqual([0, 1, 2].map((i) => `worker ${i} is ready`));
    for (const worker of [0, 2, 2]) group.tell({ worker, what: "count" });
    await vi.waitFor(() => expect(group.table.outcome(1)).toBe(3), POLL);
    expect(group.table.rows.map(({ total }) => total)).toEqual([1, 0, 2]);
    await vi.waitFor(() => expect(heard.toSorted()).toEqual(["0: count", "2: count", "2: count"]), POLL); // a message is slower than memory
    await vi.waitFor(
      () => expect(Math.min(...group.table.rows.map((row) => row.get("published")))).toBeGreaterThan(2),
      POLL,
    );
    expect(await registry.metrics()).toMatch(/stitch_health_worker_outcomes_total\{worker="3"[^}]*\} 2\n/);
    expect(health.verdict).toBe("pass");
  });

  test("may hand memory over instead of a copy", async () => {
    const { group, heard } = await opened(2);
    group.tell({ worker: 1, what: "hand-over" });
    await vi.waitFor(() => expect(heard).toEqual(["1: handed over 1,2,3", "1: has 0 left"]), POLL);
  });

  test("fails the verdict when one hangs, and can still be closed", async () => {
    const { group, health, failures } = await opened(2);
    group.tell({ worker: 1, what: "hang" });
    await vi.waitFor(() => expect(health.verdict).toBe("fail"), POLL);
    expect(health.report.reasons).toMatchObject([
      { code: "worker-hung", class: "dead", detail: "of 2 workers these hang: 2" },
    ]);
    await group.close();
    expect(failures).toEqual([]);
  });

  test.each([
    ["crash", /^worker 2 of 2 ended: ordered to crash$/],
    ["leave", /^worker 2 of 2 ended: exit code 7$/],
  ] as const)("says so when one ends: %s", async (what, text) => {
    const { group, failures } = await opened(2);
    group.tell({ worker: 1, what });
    await vi.waitFor(() => expect(failures).toHaveLength(1), POLL);
    expect(failures[0]?.message).toMatch(text);
  });

  test("tells by name and code what kept one from starting, so that the exit code is right", async () => {
    await expect(opened(2, "bind")).rejects.toMatchObject({
      name: "BindError",
      code: "EADDRINUSE",
      message: "cannot bind udp 127.0.0.1:1: taken",
    });
    await expect(opened(2, "leave")).rejects.toThrow("worker 2 of 2 ended: exit code 3");
  });
});

test("a worker that hangs while it starts is given up after a minute, and leaves no thread behind", async () => {
  const clock = new FakeClock();
  let failure: unknown;
  const settled = opened(1, "hang", clock).catch((reason: unknown) => void (failure = reason));
  clock.advance(seconds(59));
  expect(failure).toBeUndefined();
  // It has two more seconds to close, and is ended then.
  await vi.waitFor(() => {
    clock.advance(seconds(1));
    expect(failure).toBeInstanceOf(Error);
  }, POLL);
  expect((failure as Error).message).toBe("worker 1 of 1 was not ready within 1m");
  await settled;
});

describe("the table of workers", () => {
  test("keeps rows apart, sums outcomes and figures, and knows the greatest", () => {
    const table = new WorkerTable({ outcomes: ["a", "b"], figures: ["x", "y"] }, 3);
    for (const [i, row] of table.rows.entries()) {
      row.outcomes[0] = 10 ** i;
      row.set("y", i);
      row.beat();
    }
    expect([table.outcome(0), table.outcome(1), table.sum("y"), table.most("y"), table.sum("x")]).toEqual([
      111, 0, 3, 2, 0,
    ]);
    expect(table.rows.map(({ beats, total }) => [beats, total])).toEqual([
      [1, 1],
      [1, 10],
      [1, 100],
    ]);
    expect(() => table.rows[0]?.get("z" as "x")).toThrow('no figure "z"');
  });
});

test("more than one worker is for Linux, and elsewhere that is said", () => {
  const said: string[] = [];
  const log = { warn: (text: string) => said.push(text) } as unknown as Logger;
  const elsewhere = process.platform !== "linux";
  expect([workersHere(1, log), workersHere(4, log)]).toEqual([1, elsewhere ? 1 : 4]);
  expect(said).toHaveLength(elsewhere ? 1 : 0);
});
