import type { Negotiated } from "./negotiate.ts";
import type { SessionReason } from "./reasons.ts";
import {
  ADMINISTRATIVE_SHUTDOWN,
  BFD_DOWN,
  CEASE,
  CONNECTION_COLLISION,
  encodeShutdownText,
} from "./wire/notification.ts";
import { type FormatError, NO_BYTES } from "./wire/decoded.ts";
import { type MessageType, typeCode } from "./wire/header.ts";
import type { Notification } from "./wire/notification.ts";

/**
 * The finite state machine of RFC 4271 section 8: one function per state, events in, actions out, no I/O, no time.
 * `session.ts` owns the state, its one setter, the timers and the wire.
 *
 * An ordinary day: start -> Connect [connect] -> tcp-opened -> OpenSent [send OPEN] -> open -> OpenConfirm [send
 * KEEPALIVE] -> keepalive -> Established [advertise]. A hard one: the host lost power and comes back before the
 * router's hold timer has run out; the router answers our OPEN with Cease/7, or closes, and the way leads back to
 * Connect every second or two until it forgets the old session.
 *
 * Deviations from the RFC's text, each on purpose: a failed or slow connect goes to Active and waits there (what
 * operators know as "Active: cannot reach the peer"); Idle is stopped, or serving a penalty after an error;
 * DelayOpen is not used; OpenSent waits seconds, not the RFC's four minutes.
 */
export type SessionState = "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established";

export type FsmEvent =
  | { readonly type: "start" }
  | { readonly type: "stop"; readonly text: string }
  /** RFC 5882: the forwarding path to the peer is broken, whatever TCP still believes. */
  | { readonly type: "bfd-down" }
  | { readonly type: "retry-due" }
  | { readonly type: "connect-timeout" }
  | { readonly type: "open-wait-expired" }
  | { readonly type: "hold-expired" }
  | { readonly type: "send-hold-expired" }
  | { readonly type: "keepalive-due" }
  | { readonly type: "tcp-opened" }
  | { readonly type: "tcp-accepted" }
  | { readonly type: "tcp-closed"; readonly detail: string }
  | { readonly type: "open"; readonly negotiated: Negotiated }
  /** An OPEN where none is due. */
  | { readonly type: "second-open" }
  | { readonly type: "open-unsuitable"; readonly reason: SessionReason; readonly error: FormatError }
  | { readonly type: "malformed"; readonly error: FormatError }
  | { readonly type: "keepalive" }
  | { readonly type: "update"; readonly body: Uint8Array }
  | { readonly type: "route-refresh"; readonly body: Uint8Array }
  | { readonly type: "notification"; readonly notification: Notification };

/** How long to wait before the next attempt; `backoff.ts` has the figures. */
export type Pace = "soon" | "ladder" | "penalty";
export type SessionTimer = "retry" | "connect-timeout" | "open-wait" | "hold" | "keepalive";

export type Action =
  | { readonly do: "connect" }
  /** Drop the connection at once. */
  | { readonly do: "drop" }
  /** Close it after what has been written, within a bounded wait. */
  | { readonly do: "finish" }
  | { readonly do: "send-open" }
  | { readonly do: "adopt"; readonly negotiated: Negotiated }
  | { readonly do: "send-keepalive" }
  | { readonly do: "notify"; readonly notification: Notification }
  | { readonly do: "withdraw-all" }
  | { readonly do: "advertise" }
  | { readonly do: "learn"; readonly body: Uint8Array }
  | { readonly do: "refresh"; readonly body: Uint8Array }
  | { readonly do: "raise-hold-time" }
  | { readonly do: "arm"; readonly timer: Exclude<SessionTimer, "retry"> }
  | { readonly do: "disarm"; readonly timer: SessionTimer }
  /** Waits before the next attempt, unless the session is passive. */
  | { readonly do: "arm-retry"; readonly pace: Pace }
  /** No connection any more: timers off, paths forgotten. */
  | { readonly do: "release" };

export interface Step {
  readonly to: SessionState;
  readonly reason: SessionReason;
  readonly detail: string;
  readonly actions: readonly Action[];
}

/** What the machine needs to know of its session. */
export interface FsmContext {
  /** Waits to be connected to instead of connecting. */
  readonly passive: boolean;
  /** Whether a longer hold time than the one offered is left to try. */
  readonly canRaiseHoldTime: boolean;
}

/** What follows from an event in a state; undefined: nothing, the event has no meaning there. */
export function step(state: SessionState, event: FsmEvent, context: FsmContext): Step | readonly Action[] | undefined {
  return STATES[state](event, context);
}

const STATES: Readonly<
  Record<SessionState, (event: FsmEvent, context: FsmContext) => Step | readonly Action[] | undefined>
> = {
  Idle: idle,
  Connect: connect,
  Active: active,
  OpenSent: openSent,
  OpenConfirm: openConfirm,
  Established: established,
};

/** Entered at birth, by stop, and after a session that ended with an error; left by start or when the wait is over. */
function idle(event: FsmEvent, context: FsmContext): Step | readonly Action[] | undefined {
  switch (event.type) {
    case "stop":
      return [{ do: "release" }];
    case "start":
      return begin("started", context);
    case "retry-due":
      return begin("retry", context);
    default:
      return undefined;
  }
}

/** Entered to open a connection; left when it is open, has failed, or takes too long. */
function connect(event: FsmEvent): Step | undefined {
  switch (event.type) {
    case "tcp-opened":
      return opening("tcp-connected");
    case "tcp-closed":
      return to("Active", "tcp-failed", event.detail, [{ do: "release" }, { do: "arm-retry", pace: "ladder" }]);
    case "connect-timeout":
      return to("Active", "tcp-timeout", "no answer to the connection request", [
        { do: "drop" },
        { do: "release" },
        { do: "arm-retry", pace: "ladder" },
      ]);
    case "stop":
      return to("Idle", "stopped", event.text, [{ do: "drop" }, { do: "release" }]);
    default:
      return undefined;
  }
}

/** Entered when no connection could be had (or, passive, to wait for one); left by the next attempt. */
function active(event: FsmEvent, context: FsmContext): Step | undefined {
  switch (event.type) {
    case "retry-due":
      return begin("retry", context);
    case "tcp-accepted":
      return opening("tcp-accepted");
    case "stop":
      return to("Idle", "stopped", event.text, [{ do: "release" }]);
    default:
      return undefined;
  }
}

/** Entered when our OPEN is on its way; left by the peer's. */
function openSent(event: FsmEvent, context: FsmContext): Step | readonly Action[] | undefined {
  switch (event.type) {
    case "open":
      return to("OpenConfirm", "open-accepted", "", [
        { do: "adopt", negotiated: event.negotiated },
        { do: "disarm", timer: "open-wait" },
        { do: "send-keepalive" },
        { do: "arm", timer: "hold" },
        { do: "arm", timer: "keepalive" },
      ]);
    case "open-wait-expired":
      return failed("open-timeout", "no OPEN from the peer", { code: 4, subcode: 0 }, "ladder");
    case "tcp-closed":
      // RFC 4271 event 18. An old session that the peer has not given up yet looks like this (BIRD, GoBGP).
      return to("Active", "peer-closed", event.detail, [{ do: "release" }, { do: "arm-retry", pace: "soon" }]);
    default:
      return talking(event, context, 1);
  }
}

/** Entered when both OPENs suit; left by the peer's first KEEPALIVE. */
function openConfirm(event: FsmEvent, context: FsmContext): Step | readonly Action[] | undefined {
  switch (event.type) {
    case "keepalive":
      return to("Established", "established", "", [{ do: "arm", timer: "hold" }, { do: "advertise" }]);
    case "tcp-closed":
      return to("Idle", "peer-closed", event.detail, [{ do: "release" }, { do: "arm-retry", pace: "soon" }]);
    default:
      return holding(event) ?? talking(event, context, 2);
  }
}

/** Entered by the peer's KEEPALIVE; the only state in which routes move. */
function established(event: FsmEvent, context: FsmContext): Step | readonly Action[] | undefined {
  switch (event.type) {
    case "keepalive":
      return [{ do: "arm", timer: "hold" }];
    case "update":
      return [
        { do: "arm", timer: "hold" },
        { do: "learn", body: event.body },
      ];
    case "route-refresh":
      return [
        { do: "arm", timer: "hold" },
        { do: "refresh", body: event.body },
      ];
    case "tcp-closed":
      return to("Idle", "peer-closed", event.detail, [{ do: "release" }, { do: "arm-retry", pace: "ladder" }]);
    default:
      return holding(event) ?? talking(event, context, 3);
  }
}

/** What OpenConfirm and Established share: both timers run. */
function holding(event: FsmEvent): Step | readonly Action[] | undefined {
  switch (event.type) {
    case "keepalive-due":
      return [{ do: "send-keepalive" }, { do: "arm", timer: "keepalive" }];
    case "hold-expired":
      return failed("hold-timer-expired", "nothing heard for the hold time", { code: 4, subcode: 0 }, "ladder");
    default:
      return undefined;
  }
}

/** What every state with a connection answers alike. `unexpected` is RFC 6608's subcode for the state. */
function talking(event: FsmEvent, context: FsmContext, unexpected: number): Step | undefined {
  switch (event.type) {
    case "stop":
      return stopped(event.text);
    case "bfd-down":
      return failed(
        "bfd-down",
        "BFD says that the path to the peer is broken",
        { code: CEASE, subcode: BFD_DOWN },
        "ladder",
      );
    case "open-unsuitable": {
      // A router that boots has no identifier before it has an address (FRR before zebra): that ends by itself.
      const pace = event.reason === "no-router-id" ? "ladder" : "penalty";
      return failed(event.reason, event.error.detail, event.error, pace);
    }
    case "malformed":
      return failed("malformed", event.error.detail, event.error, event.error.code === 2 ? "penalty" : "ladder");
    case "notification":
      return notified(event.notification, context);
    case "send-hold-expired":
      // RFC 9687 section 4: the stream does not move, so a NOTIFICATION would not either.
      return ended("send-hold-expired", "the peer takes no data", [{ do: "drop" }], "ladder");
    case "open":
    case "second-open":
      return outOfTurn("open", unexpected);
    case "keepalive":
    case "update":
    case "route-refresh":
      return outOfTurn(event.type, unexpected);
    default:
      return undefined;
  }
}

/** RFC 6608 section 4: the subcode names the state, the data the type of the message. */
function outOfTurn(type: MessageType, subcode: number): Step {
  const error = { code: 5, subcode, data: Uint8Array.of(typeCode(type)) };
  return failed("unexpected-message", `${type} not expected`, error, "ladder");
}

function begin(reason: SessionReason, context: FsmContext): Step {
  if (context.passive) return to("Active", reason, "waiting for the peer to connect", []);
  return to("Connect", reason, "", [{ do: "connect" }, { do: "arm", timer: "connect-timeout" }]);
}

function opening(reason: SessionReason): Step {
  return to("OpenSent", reason, "", [
    { do: "disarm", timer: "connect-timeout" },
    { do: "disarm", timer: "retry" },
    { do: "send-open" },
    { do: "arm", timer: "open-wait" },
  ]);
}

/** Withdrawals first, so that the routes are gone even where the peer would keep them over the close (RFC 8538). */
function stopped(text: string): Step {
  const data = encodeShutdownText(text);
  return to("Idle", "stopped", text, [
    { do: "withdraw-all" },
    { do: "notify", notification: { code: CEASE, subcode: ADMINISTRATIVE_SHUTDOWN, data } },
    { do: "finish" },
    { do: "release" },
  ]);
}

function failed(
  reason: SessionReason,
  detail: string,
  error: { readonly code: number; readonly subcode: number; readonly data?: Uint8Array },
  pace: Pace,
): Step {
  const notification = { code: error.code, subcode: error.subcode, data: error.data ?? NO_BYTES };
  return ended(reason, detail, [{ do: "notify", notification }, { do: "finish" }], pace);
}

function ended(reason: SessionReason, detail: string, actions: readonly Action[], pace: Pace): Step {
  return to("Idle", reason, detail, [...actions, { do: "release" }, { do: "arm-retry", pace }]);
}

/** The peer said why it closes; how soon to come back depends on what it said. */
function notified(notification: Notification, context: FsmContext): Step {
  const { code, subcode } = notification;
  const unacceptableHold = code === 2 && subcode === 6;
  if (unacceptableHold && context.canRaiseHoldTime) {
    return ended(
      "hold-time-raised",
      "peer wants a longer hold time",
      [{ do: "finish" }, { do: "raise-hold-time" }],
      "soon",
    );
  }
  const [reason, pace] = answerTo(code, subcode);
  return ended(reason, "", [{ do: "finish" }], pace);
}

function answerTo(code: number, subcode: number): readonly [SessionReason, Pace] {
  if (code === 2) return ["open-refused-by-peer", "penalty"];
  if (code !== CEASE) return ["peer-notification", "ladder"];
  // A peer that still holds the session of our previous life says so with Cease/7 until its hold timer ends.
  if (subcode === CONNECTION_COLLISION) return ["collision", "soon"];
  if (subcode === 1) return ["prefix-limit", "penalty"];
  return subcode === ADMINISTRATIVE_SHUTDOWN ? ["peer-shutdown", "ladder"] : ["peer-notification", "ladder"];
}

function to(state: SessionState, reason: SessionReason, detail: string, actions: readonly Action[]): Step {
  return { to: state, reason, detail, actions };
}
