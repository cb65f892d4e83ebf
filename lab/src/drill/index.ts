import type { Variant } from "../variant.ts";
import { dark } from "./dark.ts";
import { dnsTcp } from "./dns-tcp.ts";
import { drain } from "./drain.ts";
import type { Drill, DrillContext, DrillResult } from "./drill.ts";
import { flap } from "./flap.ts";
import { flood } from "./flood.ts";
import { hung } from "./hung.ts";
import { killAnnouncer } from "./kill-announcer.ts";
import { killDns } from "./kill-dns.ts";
import { killSyslog } from "./kill-syslog.ts";
import { load } from "./load.ts";
import { nearest } from "./nearest.ts";
import { recovery } from "./recovery.ts";
import { rolling } from "./rolling.ts";
import { share } from "./share.ts";
import { trap } from "./trap.ts";
import { upstreamsLost } from "./upstreams-lost.ts";
import { v6 } from "./v6.ts";

/** In the order in which they tell the story. */
export const DRILLS: readonly Drill[] = [
  nearest,
  trap,
  killSyslog,
  killDns,
  hung,
  killAnnouncer,
  drain,
  recovery,
  dark,
  flap,
  flood,
  load,
  upstreamsLost,
  v6,
  dnsTcp,
  rolling,
  share,
];

export function drillsOf(variant: Variant): readonly Drill[] {
  return DRILLS.filter(({ variants }) => variants.includes(variant));
}

export async function runDrill(drill: Drill, context: DrillContext): Promise<DrillResult> {
  context.progress(`drill: ${drill.name}: ${drill.intent}`);
  return { drill: drill.name, ...(await drill.run(context)) };
}
