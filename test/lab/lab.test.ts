import { SystemClock } from "@stitch/clock";
import {
  anycast,
  type DrillResult,
  DRILLS,
  type Lab,
  layOut,
  requirements,
  runDrill,
  settled,
  table,
} from "@stitch/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// Needs root, Linux and FRR from the distribution; CI has all three and skips nothing.
const print = (line: string): void => void process.stderr.write(`${line}\n`);
const lacking = await requirements(print).then(
  () => undefined,
  (error: Error) => error.message,
);
const skipped = lacking !== undefined && process.env["CI"] === undefined;
if (skipped) process.stderr.write(`the lab is skipped: ${lacking}\n`);

const clock = new SystemClock();
const DRILL_LIMIT_MS = 180_000;

describe.skipIf(skipped)("two sites behind FRR", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await layOut(anycast({ clock, progress: print }));
    await settled(lab, clock);
  }, DRILL_LIMIT_MS);
  afterAll(() => lab?.down());

  const drilled = async (name: string): Promise<DrillResult> => {
    const drill = DRILLS.find((candidate) => candidate.name === name);
    if (drill === undefined) throw new Error(`no drill ${name}`);
    const result = await runDrill(drill, { lab, clock, progress: print, repetitions: 3 });
    print(`${table(result.rows)}\n`);
    expect(result.failures).toEqual([]);
    return result;
  };

  test(
    "each client is answered by its near site",
    async () => {
      expect((await drilled("nearest")).rows).toHaveLength(3);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "static routes carry the logs of a dead collector into a black hole",
    async () => {
      const { figures } = await drilled("trap");
      expect(figures["trap_lost"]).toBeGreaterThan(5_000);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "every one of 10,000 messages is accounted for when the collector is killed",
    async () => {
      const { figures } = await drilled("kill-syslog");
      const { log_sent, log_nyc, log_lon, log_lost, log_duplicated } = figures as Record<string, number>;
      expect(log_sent).toBe(10_000);
      expect((log_nyc ?? 0) + (log_lon ?? 0) - (log_duplicated ?? 0) + (log_lost ?? 0)).toBe(log_sent);
      // Health-injected routes lose what was on its way during the failover, not what comes after it.
      expect(log_lost).toBeLessThan(1_000);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "killing the resolver costs a client at most 60 ms more than the network's own floor",
    async () => {
      const { figures } = await drilled("kill-dns");
      expect(figures["killed_gap_over_floor_ms"]).toBeLessThanOrEqual(60);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "killing the announcer moves the clients and leaves the services alone",
    async () => {
      expect((await drilled("kill-announcer")).rows).toHaveLength(1);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a drain loses none of 10,000 queries",
    async () => {
      const { figures } = await drilled("drain");
      expect(figures["drain_lost"]).toBe(0);
      expect(figures["drain_queries"]).toBeGreaterThanOrEqual(10_000);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a restarted resolver gets its traffic back without a loss",
    async () => {
      const { figures } = await drilled("recovery");
      expect(figures["return_lost"]).toBe(0);
    },
    DRILL_LIMIT_MS,
  );

  test("every drill has been run above", () => {
    expect(DRILLS.map(({ name }) => name)).toEqual([
      "nearest",
      "trap",
      "kill-syslog",
      "kill-dns",
      "kill-announcer",
      "drain",
      "recovery",
    ]);
  });
});
