import { targetsOf, type AnnouncerConfig, type CheckConfig } from "@stitch/announcer";
import { isLoopback, ownAddresses } from "./own-addresses.ts";

/**
 * A check that asks something beyond this machine asks, as likely as not, the same thing at every site: when that goes,
 * every site withdraws at once, and the address is gone everywhere (as in October 2021).
 */
export function sharedFate(config: AnnouncerConfig): string[] {
  const own = ownAddresses(config);
  return config.vips.flatMap(({ service, check }) => {
    const elsewhere = strangersThatDecide(check, own);
    if (elsewhere.length === 0) return [];
    return [
      `announcer.vips: "${service}" is judged by ${elsewhere.join(", ")}, which is not this machine: where every site asks it, its failure withdraws the VIP everywhere`,
    ];
  });
}

/** Of `any`, one part that stays here is enough for the VIP to stay. */
function strangersThatDecide(check: CheckConfig, own: ReadonlySet<string>): string[] {
  if (check.kind === "any") {
    const parts = check.parts.map((part) => strangersThatDecide(part, own));
    return parts.some((strangers) => strangers.length === 0) ? [] : parts.flat();
  }
  if (check.kind === "all") return check.parts.flatMap((part) => strangersThatDecide(part, own));
  return targetsOf(check).filter((address) => !own.has(address) && !isLoopback(address));
}
