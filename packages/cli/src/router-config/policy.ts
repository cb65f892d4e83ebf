import { LOAD_MARK, LOAD_STEPS, namesLoad, type AnnouncerConfig } from "@stitch/announcer";
import { formatCommunity, GRACEFUL_SHUTDOWN } from "@stitch/bgp-speaker";

/** What routers give a route by default. */
const DEFAULT_PREFERENCE = 100;

/** One rule of import, tried in order; the first that fits decides. What is not a VIP is refused before any. */
export interface ImportRule {
  readonly name: string;
  readonly community?: string;
  readonly largeCommunity?: string;
  /** LOCAL_PREF that the route gets; undefined: the router's default. */
  readonly preference?: number;
}

/**
 * Last resort first, for it must lose to everything (RFC 8326 section 4.2). Then the load steps, each worth one of
 * preference less than an idle origin: a VIP that names no load in its check sends none.
 */
export function importRules(config: AnnouncerConfig): ImportRule[] {
  const steps = config.vips.some(({ check }) => namesLoad(check)) ? LOAD_STEPS : 0;
  const load = Array.from({ length: steps }, (_, step): ImportRule => {
    const largeCommunity = `${config.asn}:${LOAD_MARK}:${step}`;
    return { name: `LOAD-${step}`, largeCommunity, preference: DEFAULT_PREFERENCE - step };
  });
  const lastResort = { name: "GSHUT", community: formatCommunity(GRACEFUL_SHUTDOWN), preference: 0 };
  return [lastResort, ...load, { name: "PLAIN" }];
}
