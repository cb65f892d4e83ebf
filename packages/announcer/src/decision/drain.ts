import { elapsed, formatDuration, type Duration, type Instant } from "@stitch/clock";
import type { WithdrawReason } from "./machine.ts";

/** Whether clients still use the service, by its own counter; `measuring` until it has been read twice. */
export type Clients = "unknown" | "measuring" | "quiet" | "flowing";

/** What is known when a planned withdrawal asks for permission. */
export interface DrainFacts {
  /** The process that serves, or the announcer itself, is being stopped: it will be gone at the deadline. */
  readonly stopping: boolean;
  readonly forced: boolean;
  /** When the last resort was first advertised for this drain. */
  readonly began: Instant;
  readonly now: Instant;
  /** Peers with an established session: who hears the last resort at all. */
  readonly listeners: number;
  /** A peer has sent a path for the VIP that is not our echo. */
  readonly otherOrigin: boolean;
  /** One of those paths is not on last resort, so that its origin means to stay. */
  readonly stayingOrigin: boolean;
  /** This other site, asked at its own address, says that it announces the VIP plainly. */
  readonly sibling?: string | undefined;
  /** What the service's own packet counter says. */
  readonly clients?: Clients;
  readonly time: Duration;
  readonly max: Duration;
}

interface Withdrawal {
  readonly kind: "withdraw";
  readonly reason: WithdrawReason;
  readonly detail: string;
}

export type DrainRuling =
  | Withdrawal
  | { readonly kind: "wait"; readonly detail: string }
  | { readonly kind: "held"; readonly detail: string };

/**
 * The last-origin guard: last resort first, evidence second, withdrawal third. Nobody removes the last origin of an
 * address by plan, unless the process is being stopped and its deadline has come, or someone insists.
 */
export function ruleDrain(facts: DrainFacts): DrainRuling {
  const { stopping, forced, began, now, listeners, otherOrigin, time, max } = facts;
  if (listeners === 0) return unheard(stopping || forced);
  const waited = elapsed(began, now);
  if (waited < time)
    return { kind: "wait", detail: `last resort advertised; moving clients for ${formatDuration(time)}` };
  const proof = proofOf(facts);
  if (proof !== undefined) return whenQuiet(proof, waited, facts);
  if (forced) return withdraw("drain-forced", "forced by the operator without proof of another origin");
  if (!stopping) return { kind: "held", detail: otherOrigin ? OTHER_LEAVES : HELD };
  if (waited >= max)
    return withdraw("drain-deadline", `no other origin seen within ${formatDuration(max)}; stopping anyway`);
  return { kind: "wait", detail: `no other origin has been seen; stopping at ${formatDuration(max)} in any case` };
}

/** Two sites drained at once see each other's last resort. If each took that for its proof, nobody would be left. */
function proofOf({ stopping, otherOrigin, stayingOrigin, sibling }: DrainFacts): Withdrawal | undefined {
  if (stayingOrigin || (otherOrigin && stopping))
    return withdraw("other-origin-seen", "a peer has a path for this VIP that is not ours");
  return sibling === undefined
    ? undefined
    : withdraw("sibling-announces", `${sibling} says that it announces this VIP`);
}

/** With permission, and clients that still come: they are waited for, up to the deadline. Force does not wait. */
function whenQuiet(withdrawal: Withdrawal, waited: Duration, { clients, max, forced }: DrainFacts): DrainRuling {
  const going = clients !== "flowing" && clients !== "measuring";
  if (going || waited >= max || forced) return withdrawal;
  return {
    kind: "wait",
    detail: `clients still come; leaving when they have gone, at ${formatDuration(max)} at the latest`,
  };
}

/** A session may be back in a second: an operator's drain must not use the gap to remove the last origin. */
function unheard(mayLeave: boolean): DrainRuling {
  return mayLeave
    ? withdraw("nobody-listens", "no BGP session is established, so nothing hears the route")
    : { kind: "held", detail: UNHEARD };
}

const UNTIL = "it stays on last resort until one that stays is seen; `stitch drain --force` withdraws it all the same";
const HELD = `no peer has sent a path for this VIP that is not our own, so this may be its last origin: ${UNTIL}`;
const OTHER_LEAVES = `the only other origins that peers have are on last resort themselves, leaving or degraded: ${UNTIL}`;
const UNHEARD = `no BGP session is established, so no other origin can be seen: ${UNTIL}`;

function withdraw(reason: WithdrawReason, detail: string): Withdrawal {
  return { kind: "withdraw", reason, detail };
}
