import pino, { type Logger } from "pino";
import type { HealthIdentity } from "./health.ts";

export type { Logger } from "pino";

/**
 * Log bytes that may wait for a reader. Whoever reads our output may stop (Ctrl-S in a terminal, a stuck log driver);
 * a write that waited for them would stop the event loop, the lease would be lost, and a paused screen would withdraw a
 * route. Beyond this, lines are dropped and counted.
 */
const MOST_WAITING = 2 ** 20;

/** One JSON line per event on standard output. Never waits for the reader; what waits is written when the process ends. */
export function createLogger({ service, site, instance }: HealthIdentity, level = "info"): Logger {
  const output = pino.destination({ dest: 1, sync: false, minLength: 0, maxLength: MOST_WAITING });
  let dropped = 0;
  output.on("drop", () => {
    dropped += 1;
  });
  const log = pino(
    {
      level,
      base: { service, site, instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  output.on("drain", () => {
    if (dropped === 0) return;
    log.warn({ dropped }, "log lines were dropped: nobody read them");
    dropped = 0;
  });
  return log;
}
