import { days, seconds } from "@stitch/clock";
import {
  ConfigError,
  byteSize,
  duration,
  hostPort,
  listenUrl,
  percent,
  section,
  type Problem,
  type SiteDocument,
} from "@stitch/config";
import type { ByteSize } from "@stitch/config";
import { z } from "zod";

/** Where datagrams are taken; the VIP and its port. Streams are known and refused, so that the reason can be said. */
const listener = listenUrl(["udp", "tcp", "tls"] as const).superRefine((url, context) => {
  if (url.scheme === "udp") return;
  const message = `${url.scheme}:// is not served yet: this version takes syslog over udp:// only`;
  context.addIssue({ code: "custom", message });
});

const retainSection = section({
  /** Age of the newest record in a segment beyond which it is removed. */
  age: duration({ min: seconds(1) }).default(days(30)),
  /** Bytes of all segments together. */
  size: byteSize().default((50 * 2 ** 30) as ByteSize),
  /** Share of the file system that must stay free. */
  minFree: percent().default(0.05),
});

const storeSection = section({
  path: z.string().min(1).default("/var/lib/stitch/syslog"),
  retain: retainSection.prefault({}),
  /** How often written records are made to survive a loss of power. */
  sync: duration({ min: seconds(0.01), max: seconds(60) }).default(seconds(1)),
});

/** The `syslog:` section of site.yaml. */
export const syslogSection = section({
  listen: z.array(listener).min(1),
  health: hostPort().default({ address: "127.0.0.1", port: 8514 }),
  store: storeSection.prefault({}),
});

export type SyslogConfig = z.infer<typeof syslogSection>;

/** One segment being written, and one sealed. */
const SMALLEST_STORE = 128 * 2 ** 20;

/** The collector's part of site.yaml, with what only several settings together can show. Throws ConfigError. */
export function syslogConfig(document: SiteDocument): SyslogConfig {
  const config = document.section("syslog", syslogSection);
  const problems = crossCheck(document, config);
  if (problems.length > 0) throw new ConfigError(document.file, problems);
  return config;
}

function crossCheck(document: SiteDocument, { listen, store }: SyslogConfig): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const [i, { address, port }] of listen.entries()) {
    const key = `${address} ${port}`;
    if (port !== 0 && seen.has(key)) problems.push(document.problemAt(["syslog", "listen", i], "is listed twice"));
    seen.add(key);
  }
  if (store.retain.size < SMALLEST_STORE) {
    const message = "is less than 128MiB: room for one segment that is written and one that is sealed";
    problems.push(document.problemAt(["syslog", "store", "retain", "size"], message));
  }
  return problems;
}
