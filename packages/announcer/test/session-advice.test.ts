import { SESSION_REASONS, type NotificationView, type SessionReason, type SessionStatus } from "@stitch/bgp-speaker";
import { seconds } from "@stitch/clock";
import { describe, expect, test } from "vitest";
import { isFailure, sessionAdvice } from "../src/session-advice.ts";

const PEER = { asn: 65_100, holdTime: seconds(9), password: undefined, ttlSecurity: undefined };
const COLLISION: NotificationView = { direction: "received", code: 6, subcode: 7, name: "Cease", text: "" };

function advice(
  reason: SessionReason,
  detail = "",
  last?: NotificationView,
  peer: typeof PEER | (typeof PEER & { password: string }) = PEER,
): string {
  const session = { state: "Active", offeredHoldTime: seconds(9), lastNotification: last } as SessionStatus;
  return sessionAdvice(peer, session, { reason, detail });
}

describe("a session that is not there", () => {
  test.each([
    ["no answer without a password", advice("tcp-timeout"), /down or filters us, or it wants a TCP-MD5 password/],
    [
      "no answer before the kernel gave up",
      advice("tcp-failed", "cannot connect to tcp 10.1.0.1:179: connect ETIMEDOUT"),
      /^no answer to the connection request.*TCP-MD5/,
    ],
    ["no way", advice("tcp-failed", "connect EHOSTUNREACH"), /^there is no way to it \(connect EHOSTUNREACH\)/],
    [
      "no answer with one",
      advice("tcp-timeout", "", undefined, { ...PEER, password: "x" } as never),
      /its TCP-MD5 password is missing or another/,
    ],
    [
      "a refused connection",
      advice("tcp-failed", "ECONNREFUSED"),
      /ECONNREFUSED.*BIRD refuses a neighbour for 60 s, .*error wait time 1, 30/,
    ],
    [
      "a connection that is closed at once",
      advice("peer-closed"),
      /no neighbour of it at our address.*error wait time/,
    ],
    ["the wrong AS", advice("wrong-as", "the peer is in AS 65001"), /AS 65001: peers\[\]\.asn is 65100/],
    ["silence after the OPEN", advice("hold-timer-expired"), /GTSM.*set it on both or on neither/],
    ["a collision after a power cut", advice("collision"), /still holds our session from before a power cut/],
    [
      "silence that came after a collision",
      advice("tcp-timeout", "", COLLISION),
      /^no answer to the connection request/,
    ],
    [
      "no answer where we want TTL 255",
      advice("tcp-timeout", "", undefined, { ...PEER, ttlSecurity: 1 } as never),
      /or it does not send with TTL 255, which peers\[\]\.ttlSecurity asks for/,
    ],
    ["an operator at the router", advice("peer-shutdown"), /shut down at the router/],
    ["a limit of prefixes", advice("prefix-limit"), /raise it/],
  ])("%s", (_name, text, why) => {
    expect(text).toMatch(why);
  });

  test("steps on the way are no failures, and every failure but our own stop has advice or says what the peer said", () => {
    const silent = SESSION_REASONS.filter((reason) => isFailure(reason) && advice(reason) === "");
    expect(silent).toEqual([
      "peer-notification",
      "hold-time-raised",
      "unsupported-version",
      "unsupported-parameter",
      "malformed",
      "unexpected-message",
    ]);
    expect(isFailure("retry")).toBe(false);
  });
});

test("an established session is advised only where the router has raised our hold time", () => {
  const session = { state: "Established", offeredHoldTime: seconds(9) } as SessionStatus;
  expect(sessionAdvice(PEER, session, undefined)).toBe("");
  expect(sessionAdvice(PEER, { ...session, offeredHoldTime: seconds(90) }, undefined)).toMatch(
    /refuses a hold time of 9s, so 90s is offered/,
  );
});
