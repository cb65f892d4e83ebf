import type { Clock } from "@stitch/clock";
import type { Announcer } from "../announcer.ts";
import type { PollResult } from "../check/observer.ts";
import { probeOf } from "../check/open.ts";
import type { VipConfig } from "../config.ts";
import type { Evidence } from "../evidence/evidence.ts";
import type { Journal } from "../journal.ts";
import type { Acknowledged } from "./connections.ts";
import { ClosedLoop } from "./closed-loop.ts";
import { selfQuery } from "./self-query.ts";

/** The closed loop of an announcer, with the self-queries that its configuration names. */
export function closedLoop(
  announcer: Announcer,
  evidence: Evidence,
  journal: Journal,
  clock: Clock,
  acknowledged: Acknowledged,
): ClosedLoop {
  const query = ({ proof }: VipConfig): Promise<PollResult> | undefined => {
    if (proof === undefined || !("pace" in proof)) return undefined;
    const vips = new Set(announcer.config.vips.map(({ prefix }) => prefix.address));
    return selfQuery(probeOf(proof, { vips, clock }), proof.pace.timeout, clock);
  };
  return new ClosedLoop({
    announcer,
    journal,
    clock,
    clients: (vip) => evidence.clients(vip),
    acknowledged,
    query: (vip) => query(vip.config),
  });
}
