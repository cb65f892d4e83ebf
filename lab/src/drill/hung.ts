import { hung as stopped } from "./blow.ts";
import { type Drill, tenths, unless } from "./drill.ts";
import { failover, failoverRow } from "./failover.ts";
import { VIPS } from "./plan.ts";

/** The goal is 0.7 s: the lease's 500 ms and the age of a self-check. The rest is for a machine that does other things too. */
const WITHDRAWN_WITHIN_MS = 1_500;

export const hung: Drill = {
  name: "hung",
  variants: ["anycast", "ospf"],
  intent: "SIGSTOP of New York's resolver: it hangs with its sockets open, its lease runs out, its clients move",
  async run({ lab, clock }) {
    const seen = await failover(lab, clock, VIPS.dns, stopped(lab.variant));
    const figures = { hung_withdrawn_ms: tenths(seen.toldMs), hung_gap_ms: tenths(seen.branchGapMs) };
    const failures = unless(
      seen.toldMs <= WITHDRAWN_WITHIN_MS,
      `withdrawn after ${figures.hung_withdrawn_ms} ms; ${WITHDRAWN_WITHIN_MS} ms is the limit`,
    );
    return { rows: [failoverRow(seen)], figures, failures };
  },
};
