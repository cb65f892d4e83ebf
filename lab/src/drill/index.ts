import { drain } from "./drain.ts";
import type { Drill, DrillContext, DrillResult } from "./drill.ts";
import { killAnnouncer } from "./kill-announcer.ts";
import { killDns } from "./kill-dns.ts";
import { killSyslog } from "./kill-syslog.ts";
import { nearest } from "./nearest.ts";
import { recovery } from "./recovery.ts";
import { trap } from "./trap.ts";

/** In the order in which they tell the story. */
export const DRILLS: readonly Drill[] = [nearest, trap, killSyslog, killDns, killAnnouncer, drain, recovery];

export async function runDrill(drill: Drill, context: DrillContext): Promise<DrillResult> {
  context.progress(`drill: ${drill.name}: ${drill.intent}`);
  return { drill: drill.name, ...(await drill.run(context)) };
}
