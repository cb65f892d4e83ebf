import { type Clock, type Duration, seconds } from "@stitch/clock";
import type { Lab } from "./lab.ts";
import { until } from "./poll.ts";

/** A stop may take a drain. */
const RENEWAL: Duration = seconds(90);

/** Runs `renew`; resolves when each of `roles` has another process than before. */
export async function renewed(
  lab: Lab,
  clock: Clock,
  node: string,
  roles: readonly string[],
  renew: () => Promise<void>,
): Promise<void> {
  const before = await lab.roles(node);
  await renew();
  await until(clock, `${roles.join()} of ${node} to run anew`, RENEWAL, async () => {
    const now = await lab.roles(node);
    return roles.every((role) => now[role]?.pid && now[role].pid !== before[role]?.pid) ? true : undefined;
  });
}
