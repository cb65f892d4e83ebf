import { parsed, section } from "@stitch/config";
import { z } from "zod";
import { addressUrl } from "./targets.ts";

/** Packets a second; the service's own self-checks, ten a second and more with several workers, are among them. */
const QUIET = 20;

export const trafficSection = section({
  /** The service's page of metrics. */
  metrics: parsed("a URL such as http://127.0.0.1:8153/metrics (no names: DNS may be down)", addressUrl),
  /** The counter of packets served, summed over its labels. */
  counter: z.string().regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/, "is not the name of a metric"),
  /** At so many packets a second, or fewer, nobody is served. */
  quiet: z.number().min(0).default(QUIET),
});

export type TrafficConfig = z.infer<typeof trafficSection>;

/** More sites than anyone asks about one address. */
const MOST_SIBLINGS = 16;

/** Announcers of other sites that announce the same VIP, at their own addresses. */
export const siblingsSetting = z
  .array(
    parsed(
      "the route health of a sibling's announcer, such as http://10.2.0.10:8179/route/dns (no names: DNS may be down)",
      addressUrl,
    ),
  )
  .max(MOST_SIBLINGS)
  .default([]);
