import type { BfdReason } from "./reasons.ts";
import {
  ADMINISTRATIVELY_DOWN,
  type BfdState,
  DETECTION_EXPIRED,
  NEIGHBOR_SIGNALED_DOWN,
  NO_DIAGNOSTIC,
} from "./wire/index.ts";

/**
 * The state machine of RFC 5880 sections 6.2 and 6.8.6: one function per state, no I/O, no time.
 *
 * An ordinary day: Down -> (peer says Down) Init -> (peer says Init or Up) Up; on the peer's side the same, so both come
 * up after three packets. A hard one: our packets are lost, the peer's arrive. The peer's detection time ends, it says
 * Down, and we leave Up by its word though we hear it well: a path that works one way is no path.
 */
export type FsmEvent =
  | { readonly type: "heard"; readonly state: BfdState }
  | { readonly type: "detection-expired" }
  | { readonly type: "enable" }
  | { readonly type: "disable" };

export interface Transition {
  readonly to: BfdState;
  readonly reason: BfdReason;
  /** bfd.LocalDiag from here on; undefined: as it was, so that the peer still reads why the last session ended. */
  readonly diagnostic: number | undefined;
}

/** What follows from an event in a state; undefined: nothing. */
export function transition(state: BfdState, event: FsmEvent): Transition | undefined {
  return STATES[state](event);
}

const STATES: Readonly<Record<BfdState, (event: FsmEvent) => Transition | undefined>> = {
  AdminDown: adminDown,
  Down: down,
  Init: init,
  Up: up,
};

/** Entered when the session is not wanted any more; nothing but our own wish leads out. */
function adminDown(event: FsmEvent): Transition | undefined {
  return event.type === "enable" ? { to: "Down", reason: "enabled", diagnostic: NO_DIAGNOSTIC } : undefined;
}

/** Entered at birth and whenever a session ends; left when the peer is heard to be Down or Init. */
function down(event: FsmEvent): Transition | undefined {
  if (event.type === "disable") return DISABLED;
  if (event.type !== "heard") return undefined;
  if (event.state === "Down") return { to: "Init", reason: "peer-heard", diagnostic: undefined };
  return event.state === "Init" ? COMPLETE : undefined;
}

/** Entered when the peer is heard; left when the peer shows that it hears us, or falls silent. */
function init(event: FsmEvent): Transition | undefined {
  switch (event.type) {
    case "disable":
      return DISABLED;
    case "detection-expired":
      return EXPIRED;
    case "heard":
      if (event.state === "AdminDown") return PEER_ADMIN_DOWN;
      return event.state === "Down" ? undefined : COMPLETE;
    case "enable":
      return undefined;
  }
}

/** Entered when both hear each other; left by silence or by the peer's word. */
function up(event: FsmEvent): Transition | undefined {
  switch (event.type) {
    case "disable":
      return DISABLED;
    case "detection-expired":
      return EXPIRED;
    case "heard":
      if (event.state === "AdminDown") return PEER_ADMIN_DOWN;
      return event.state === "Down" ? PEER_DOWN : undefined;
    case "enable":
      return undefined;
  }
}

const COMPLETE: Transition = { to: "Up", reason: "handshake-complete", diagnostic: NO_DIAGNOSTIC };
const EXPIRED: Transition = { to: "Down", reason: "detection-expired", diagnostic: DETECTION_EXPIRED };
const PEER_DOWN: Transition = { to: "Down", reason: "peer-down", diagnostic: NEIGHBOR_SIGNALED_DOWN };
const PEER_ADMIN_DOWN: Transition = { to: "Down", reason: "peer-admin-down", diagnostic: NEIGHBOR_SIGNALED_DOWN };
const DISABLED: Transition = { to: "AdminDown", reason: "disabled", diagnostic: ADMINISTRATIVELY_DOWN };

/**
 * Whether a change says that the path to the peer is lost, so that a routing session over it is to be torn down. An
 * administrative end, on either side, says nothing of the path (RFC 5882 section 3.2).
 */
export function isLoss(from: BfdState, reason: BfdReason): boolean {
  return from === "Up" && (reason === "detection-expired" || reason === "peer-down");
}
