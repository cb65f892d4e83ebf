import { DRILLS } from "@stitch/lab";
import { expect, test } from "vitest";
import { describeUnless } from "../lacking.ts";
import { DRILL_LIMIT_MS, inLab, lacking, LONG_DRILLS, type RunDrill } from "./in-lab.ts";

const drilled = new Set<string>();

/** Notes what has been run. */
function noting(run: RunDrill): RunDrill {
  return (drill, repetitions) => {
    drilled.add(drill);
    return run(drill, repetitions);
  };
}

describeUnless(lacking, "two sites behind FRR", () => {
  const run = noting(inLab("anycast", { brief: true }));

  test(
    "each client is answered by its near site",
    async () => {
      expect((await run("nearest")).rows).toHaveLength(3);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "static routes carry the logs of a dead collector into a black hole",
    async () => {
      const { figures } = await run("trap");
      expect(figures["trap_lost"]).toBeGreaterThan(5_000);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "every one of 10,000 messages is accounted for when the collector is killed",
    async () => {
      const { figures } = await run("kill-syslog");
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
      const { figures } = await run("kill-dns");
      expect(figures["killed_gap_over_floor_ms"]).toBeLessThanOrEqual(60);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "killing the announcer moves the clients and leaves the services alone",
    async () => {
      expect((await run("kill-announcer")).rows).toHaveLength(1);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a drain loses none of 10,000 queries",
    async () => {
      const { figures } = await run("drain");
      expect(figures["drain_lost"]).toBe(0);
      expect(figures["drain_queries"]).toBeGreaterThanOrEqual(10_000);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a restarted resolver gets its traffic back without a loss",
    async () => {
      const { figures } = await run("recovery");
      expect(figures["return_lost"]).toBe(0);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a resolver that hangs is withdrawn when its lease runs out",
    async () => {
      const { figures } = await run("hung");
      expect(figures["hung_withdrawn_ms"]).toBeGreaterThan(100);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a site that goes dark is replaced, and used again when the lights are on",
    async () => {
      expect((await run("dark")).figures["dark_lost"]).toBeGreaterThan(0);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a flapping resolver does not make the routers flap",
    async () => {
      expect((await run("flap")).figures["flap_updates"]).toBeGreaterThan(0);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a site without upstream is avoided; when every site's is lost, every address is still announced",
    async () => {
      const { rows, figures } = await run("upstreams-lost");
      expect([rows.length, figures["unannounced"]]).toEqual([6, 0]);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a flood withdraws nothing, and what hangs in it is withdrawn",
    async () => {
      const { figures } = await run("flood");
      expect(figures["flood_withdrawn"]).toBe(0);
      expect(figures["flood_hung_ms"]).toBeGreaterThan(100);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "clients leave a busy GPU for an idle one, and return",
    async () => {
      expect((await run("load")).rows).toHaveLength(4);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "a failover breaks the TCP connections of the site that went, and new ones are answered by the other",
    async () => {
      expect((await run("dns-tcp")).rows).toHaveLength(3);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "IPv6 clients go the same ways",
    async () => {
      expect((await run("v6")).rows).toHaveLength(5);
    },
    DRILL_LIMIT_MS,
  );
});

describeUnless(lacking, "two sites in OSPF, by the kernel speaker", () => {
  const run = noting(inLab("ospf", { brief: true }));

  test(
    "killing the resolver costs a client no more than the same bound above OSPF's own floor",
    async () => {
      const { figures } = await run("kill-dns", 1);
      expect(figures["killed_update_ms"]).toBeGreaterThan(0);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "killing the announcer moves the clients too: its watchdog removes the routes",
    async () => {
      expect((await run("kill-announcer")).rows).toHaveLength(1);
    },
    DRILL_LIMIT_MS,
  );
});

describeUnless(lacking, "two nodes of one site behind ECMP", () => {
  const run = noting(inLab("ecmp", { brief: true }));

  test(
    "share their clients, and one takes all when the other's resolver is killed",
    async () => {
      expect((await run("share")).rows).toHaveLength(3);
    },
    DRILL_LIMIT_MS,
  );

  test("every drill has been run above, or is among the long ones", () => {
    expect([...drilled, ...LONG_DRILLS].toSorted()).toEqual(DRILLS.map(({ name }) => name).toSorted());
  });
});
