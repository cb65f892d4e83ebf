import type { Clock } from "@stitch/clock";
import type { Announcer } from "../announcer.ts";
import type { PollResult } from "../check/observer.ts";
import { probeOf } from "../check/open.ts";
import type { AnnouncerConfig, VipConfig } from "../config.ts";
import type { Evidence } from "../evidence/evidence.ts";
import type { Journal } from "../journal.ts";
import type { Acknowledged } from "./connections.ts";
import { ClosedLoop } from "./closed-loop.ts";
import { selfQuery } from "./self-query.ts";

/** The closed loop of an announcer, with the self-queries that its configuration names. */
export function closedLoop(
  announcer: Announcer,
  { config, evidence }: { readonly config: AnnouncerConfig; readonly evidence: Evidence },
  journal: Journal,
  clock: Clock,
  acknowledged: Acknowledged,
): ClosedLoop {
  const vips = new Set(config.vips.map(({ prefix }) => prefix.address));
  const query = ({ proof }: VipConfig): Promise<PollResult> | undefined => {
    if (proof === undefined || !("pace" in proof)) return undefined;
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
