import type { UndrainReason, WithdrawReason } from "../decision/machine.ts";
import type { DecisionEntry, HealthEntry, JournalEntry } from "../journal.ts";

/** What happened to one VIP and was none of the policy's doing. `at`: microseconds of wall time. */
export type Happening = { readonly at: number } & (
  | { readonly kind: "said"; readonly entry: HealthEntry }
  | { readonly kind: "drain"; readonly reason: string; readonly forced: boolean }
  | { readonly kind: "undrain"; readonly reason: UndrainReason; readonly detail: string }
  /** The guard has let go of a last resort: from now on it is known that there is another origin, or nobody to hear. */
  | { readonly kind: "permission"; readonly reason: WithdrawReason }
);

/** A deadline and an operator's force follow from the policy and the order; these are what others knew. */
const KNOWN_BY_OTHERS = ["other-origin-seen", "sibling-announces", "nobody-listens"] as const;

/** A VIP's part of a recording, in order. */
export function timelineOf(entries: readonly JournalEntry[], vip: string): Happening[] {
  return entries.flatMap((entry): Happening[] => {
    const at = wallOf(entry);
    switch (entry.kind) {
      case "health":
        return entry.vip === vip ? [{ kind: "said", at, entry }] : [];
      case "operator": {
        const { action, reason, forced, vips } = entry;
        if (!vips.includes(vip)) return [];
        if (action === "drain") return [{ kind: "drain", at, reason, forced }];
        return [{ kind: "undrain", at, reason: "operator-undrain", detail: reason }];
      }
      case "decision":
        return entry.vip === vip ? decided(entry, at) : [];
      default:
        return [];
    }
  });
}

/** How long a drain lasts is the operator's word, not the policy's. */
function decided({ from, reason, detail }: DecisionEntry, at: number): Happening[] {
  if (reason === "drain-expired") return [{ kind: "undrain", at, reason, detail }];
  const known = KNOWN_BY_OTHERS.find((each) => each === reason);
  return from === "DRAINING" && known !== undefined ? [{ kind: "permission", at, reason: known }] : [];
}

export function wallOf(entry: JournalEntry | undefined): number {
  return entry === undefined ? 0 : Date.parse(entry.at) * 1_000;
}
