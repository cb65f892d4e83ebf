import { describe, expect, test } from "vitest";

import { type FsmEvent, type SessionState, step } from "../src/fsm.ts";
import { SESSION_REASONS } from "../src/reasons.ts";

const STATES = [
  "Idle",
  "Connect",
  "Active",
  "OpenSent",
  "OpenConfirm",
  "Established",
] as const satisfies readonly SessionState[];
const ERROR = { code: 3, subcode: 1, data: new Uint8Array(), detail: "test" };
const NEGOTIATED = {
  remoteAsn: 65001,
  remoteRouterId: "192.0.2.1",
  holdTime: 9_000,
  families: ["ipv4"],
  fourOctetAs: true,
  routeRefresh: true,
  capabilityCodes: [],
  internal: false,
};

/** One of each kind of event, in the order of the columns below. */
const EVENTS = [
  { type: "start" },
  { type: "stop", text: "" },
  { type: "retry-due" },
  { type: "connect-timeout" },
  { type: "tcp-opened" },
  { type: "tcp-accepted" },
  { type: "tcp-closed", detail: "" },
  { type: "open", negotiated: NEGOTIATED },
  { type: "second-open" },
  { type: "open-unsuitable", reason: "wrong-as", error: ERROR },
  { type: "malformed", error: ERROR },
  { type: "keepalive" },
  { type: "update", body: new Uint8Array() },
  { type: "route-refresh", body: new Uint8Array() },
  { type: "notification", notification: { code: 6, subcode: 2, data: new Uint8Array() } },
  { type: "open-wait-expired" },
  { type: "hold-expired" },
  { type: "keepalive-due" },
  { type: "send-hold-expired" },
  { type: "bfd-down" },
] as unknown as readonly FsmEvent[];

/** Where each event leads: a state, `act` for actions without a change, `-` for nothing. */
const TABLE = `
                   Idle     Connect   Active    OpenSent     OpenConfirm  Established
start              Connect  -         -         -            -            -
stop               act      Idle      Idle      Idle         Idle         Idle
retry-due          Connect  -         Connect   -            -            -
connect-timeout    -        Active    -         -            -            -
tcp-opened         -        OpenSent  -         -            -            -
tcp-accepted       -        -         OpenSent  -            -            -
tcp-closed         -        Active    -         Active       Idle         Idle
open               -        -         -         OpenConfirm  Idle         Idle
second-open        -        -         -         Idle         Idle         Idle
open-unsuitable    -        -         -         Idle         Idle         Idle
malformed          -        -         -         Idle         Idle         Idle
keepalive          -        -         -         Idle         Established  act
update             -        -         -         Idle         Idle         act
route-refresh      -        -         -         Idle         Idle         act
notification       -        -         -         Idle         Idle         Idle
open-wait-expired  -        -         -         Idle         -            -
hold-expired       -        -         -         -            Idle         Idle
keepalive-due      -        -         -         -            act          act
send-hold-expired  -        -         -         Idle         Idle         Idle
bfd-down           -        -         -         Idle         Idle         Idle
`;

const CONTEXT = { passive: false, canRaiseHoldTime: false };

function outcome(state: SessionState, event: FsmEvent): string {
  const result = step(state, event, CONTEXT);
  if (result === undefined) return "-";
  return "to" in result ? result.to : "act";
}

describe("the state machine", () => {
  test("answers every event in every state as the table says", () => {
    const rows = TABLE.trim().split("\n").slice(1);
    const expected = rows.map((row) => row.trim().split(/\s+/));
    const actual = EVENTS.map((event) => [event.type, ...STATES.map((state) => outcome(state, event))]);
    expect(actual).toEqual(expected);
    expect(rows).toHaveLength(20);
  });

  test("gives every change one of the known reasons, and leaves no connection open in Idle", () => {
    const changes = EVENTS.flatMap((event) => STATES.map((state) => ({ state, result: step(state, event, CONTEXT) })));
    const steps = changes.flatMap(({ state, result }) =>
      result !== undefined && "to" in result ? [{ state, ...result }] : [],
    );
    expect(steps.filter(({ reason }) => !SESSION_REASONS.includes(reason))).toEqual([]);
    const connected = steps.filter(
      ({ state, to }) => to === "Idle" && ["OpenSent", "OpenConfirm", "Established"].includes(state),
    );
    expect(connected).toHaveLength(33);
    expect(connected.filter(({ actions }) => !actions.some((action) => action.do === "release"))).toEqual([]);
  });

  test("waits instead of connecting when passive", () => {
    const passive = { ...CONTEXT, passive: true };
    expect(step("Idle", { type: "start" }, passive)).toMatchObject({ to: "Active", actions: [] });
  });
});
