import { elapsed, seconds, type Clock, type Duration, type Instant } from "@stitch/clock";
import { EXIT } from "./exit.ts";

/**
 * One wish to stop arrives several times: a terminal signals its whole process group, npm and the re-executing bin pass
 * the signal on. Signals within this time of the first are the same wish.
 */
const SAME_WISH: Duration = seconds(1);

/**
 * Resolves at the first SIGTERM or SIGINT; a later wish ends the process at once, with code 1. Listens for the rest of
 * the process's life, so that no signal falls into a gap and kills it without a drain. For `main.ts` files only.
 */
export function stopWished(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    let first: Instant | undefined;
    const heard = (): void => {
      const now = clock.now();
      first ??= now;
      if (elapsed(first, now) >= SAME_WISH) process.exit(EXIT.failed);
      resolve();
    };
    process.on("SIGTERM", heard);
    process.on("SIGINT", heard);
  });
}
