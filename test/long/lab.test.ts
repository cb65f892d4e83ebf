import { expect, test } from "vitest";
import { describeUnless } from "../lacking.ts";
import { DRILL_LIMIT_MS, inLab, lacking, LONG_DRILLS } from "../lab/in-lab.ts";

// The drills in full, and those that take longer than every run of the tests can wait.

describeUnless(lacking, "two sites behind FRR", () => {
  const run = inLab("anycast", { brief: false });

  test(
    "a minute's flood at three times a site's capacity withdraws nothing; what hangs in it is withdrawn within 0.7 s",
    async () => {
      const { figures } = await run("flood");
      expect(figures["flood_withdrawn"]).toBe(0);
      expect(figures["flood_neighbour_ms"]).toBeLessThanOrEqual(700);
      expect(figures["flood_hung_ms"]).toBeLessThanOrEqual(700);
    },
    DRILL_LIMIT_MS,
  );

  test.each(LONG_DRILLS)(
    "the drill %s holds",
    async (drill) => {
      expect((await run(drill)).rows.length).toBeGreaterThan(0);
    },
    DRILL_LIMIT_MS,
  );
});

describeUnless(lacking, "three sites behind FRR", () => {
  const run = inLab("three", { brief: false });

  test(
    "each client is answered by its near site",
    async () => {
      expect((await run("nearest")).rows).toHaveLength(4);
    },
    DRILL_LIMIT_MS,
  );

  test(
    "as long as one site has an upstream it has all clients; when none has, every address is still announced",
    async () => {
      const { rows, figures } = await run("upstreams-lost");
      expect([rows.length, figures["unannounced"]]).toEqual([12, 0]);
    },
    DRILL_LIMIT_MS,
  );
});
