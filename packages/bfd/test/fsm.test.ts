import { describe, expect, test } from "vitest";

import { type FsmEvent, isLoss, transition } from "../src/fsm.ts";
import { BFD_STATES, type BfdState } from "../src/wire/index.ts";

const EVENTS: Readonly<Record<string, FsmEvent>> = {
  "hears AdminDown": { type: "heard", state: "AdminDown" },
  "hears Down": { type: "heard", state: "Down" },
  "hears Init": { type: "heard", state: "Init" },
  "hears Up": { type: "heard", state: "Up" },
  "hears nothing": { type: "detection-expired" },
  enable: { type: "enable" },
  disable: { type: "disable" },
};

/** RFC 5880 section 6.2's diagram and 6.8.6's text: state and event, then the new state, the reason and bfd.LocalDiag. */
const TABLE: Readonly<Record<BfdState, Readonly<Record<string, string>>>> = {
  AdminDown: { enable: "Down enabled 0" },
  Down: {
    "hears Down": "Init peer-heard kept",
    "hears Init": "Up handshake-complete 0",
    disable: "AdminDown disabled 7",
  },
  Init: {
    "hears AdminDown": "Down peer-admin-down 3",
    "hears Init": "Up handshake-complete 0",
    "hears Up": "Up handshake-complete 0",
    "hears nothing": "Down detection-expired 1",
    disable: "AdminDown disabled 7",
  },
  Up: {
    "hears AdminDown": "Down peer-admin-down 3",
    "hears Down": "Down peer-down 3",
    "hears nothing": "Down detection-expired 1",
    disable: "AdminDown disabled 7",
  },
};

describe.each(BFD_STATES)("%s", (state) => {
  test.each(Object.entries(EVENTS))("%s", (name, event) => {
    const next = transition(state, event);
    const said = next === undefined ? undefined : `${next.to} ${next.reason} ${next.diagnostic ?? "kept"}`;
    expect(said).toBe(TABLE[state][name]);
  });
});

test("the path is lost when an Up session ends by silence or by the peer's word, not by anybody's plan", () => {
  expect(isLoss("Up", "detection-expired")).toBe(true);
  expect(isLoss("Up", "peer-down")).toBe(true);
  expect(isLoss("Up", "peer-admin-down")).toBe(false);
  expect(isLoss("Up", "disabled")).toBe(false);
  expect(isLoss("Init", "detection-expired")).toBe(false);
});
