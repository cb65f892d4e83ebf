import { ByteWriter, u8 } from "./bytes.ts";
import { type Decoded, decoded, NO_BYTES, refused } from "./decoded.ts";
import { encodeMessage } from "./header.ts";

/**
 * NOTIFICATION, RFC 4271 section 4.5: `code (1) | subcode (1) | data`. The sender closes the session after it.
 * For Cease/2 and Cease/4 the data is RFC 9003's text: `length (1) | UTF-8`.
 */
export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** Codes and subcodes: RFC 4271, 4486 and 9384 (Cease), 5492 (2/7), 6608 (FSM), 7313 (7/x), 8538 (6/9), 9234 (2/11), 9687 (8). */
const NAMES: Readonly<Record<number, readonly [string, Readonly<Record<number, string>>]>> = {
  1: ["Message Header Error", { 1: "Connection Not Synchronized", 2: "Bad Message Length", 3: "Bad Message Type" }],
  2: [
    "OPEN Message Error",
    {
      1: "Unsupported Version Number",
      2: "Bad Peer AS",
      3: "Bad BGP Identifier",
      4: "Unsupported Optional Parameter",
      5: "Authentication Failure",
      6: "Unacceptable Hold Time",
      7: "Unsupported Capability",
      11: "Role Mismatch",
    },
  ],
  3: [
    "UPDATE Message Error",
    {
      1: "Malformed Attribute List",
      2: "Unrecognized Well-known Attribute",
      3: "Missing Well-known Attribute",
      4: "Attribute Flags Error",
      5: "Attribute Length Error",
      6: "Invalid ORIGIN Attribute",
      7: "AS Routing Loop",
      8: "Invalid NEXT_HOP Attribute",
      9: "Optional Attribute Error",
      10: "Invalid Network Field",
      11: "Malformed AS_PATH",
    },
  ],
  4: ["Hold Timer Expired", {}],
  5: [
    "Finite State Machine Error",
    {
      1: "Unexpected Message in OpenSent",
      2: "Unexpected Message in OpenConfirm",
      3: "Unexpected Message in Established",
    },
  ],
  6: [
    "Cease",
    {
      1: "Maximum Number of Prefixes Reached",
      2: "Administrative Shutdown",
      3: "Peer De-configured",
      4: "Administrative Reset",
      5: "Connection Rejected",
      6: "Other Configuration Change",
      7: "Connection Collision Resolution",
      8: "Out of Resources",
      9: "Hard Reset",
      10: "BFD Down",
    },
  ],
  7: ["ROUTE-REFRESH Message Error", { 1: "Invalid Message Length" }],
  8: ["Send Hold Timer Expired", {}],
};

export const CEASE = 6;
export const ADMINISTRATIVE_SHUTDOWN = 2;
const ADMINISTRATIVE_RESET = 4;
export const CONNECTION_COLLISION = 7;
export const OUT_OF_RESOURCES = 8;
/** RFC 9384. */
export const BFD_DOWN = 10;

/** RFC 9003 section 2: the text's length is one octet. */
export const MAX_SHUTDOWN_TEXT_BYTES = 255;

/** The registered name, e.g. `Cease/Administrative Shutdown`; numbers stand for what is not registered. */
export function notificationName(code: number, subcode: number): string {
  const [name, subcodes] = NAMES[code] ?? [`Code ${code}`, {}];
  if (subcode === 0) return name;
  return `${name}/${subcodes[subcode] ?? `Subcode ${subcode}`}`;
}

export function encodeNotification(notification: Notification): Uint8Array {
  const { code, subcode, data } = notification;
  return encodeMessage("notification", new ByteWriter(2 + data.length).u8(code).u8(subcode).bytes(data).finish());
}

export function decodeNotification(body: Uint8Array): Decoded<Notification> {
  if (body.length < 2) return refused(1, 2, `notification body of ${body.length} octets`);
  return decoded({ code: u8(body, 0), subcode: u8(body, 1), data: body.slice(2) });
}

/** RFC 9003 data for a text; cut at 255 octets without splitting a character. */
export function encodeShutdownText(text: string): Uint8Array {
  if (text === "") return NO_BYTES;
  const bytes = new Uint8Array(MAX_SHUTDOWN_TEXT_BYTES);
  const { written } = new TextEncoder().encodeInto(text, bytes);
  return new ByteWriter(1 + written).u8(written).bytes(bytes.subarray(0, written)).finish();
}

/**
 * The peer's RFC 9003 text, made safe to show: ill-formed UTF-8 is replaced, and control and bidirectional-override
 * characters are too (a peer's text ends in terminals and logs, where they would move the cursor or hide words).
 */
export function decodeShutdownText(notification: Notification): string {
  const { code, subcode, data } = notification;
  if (code !== CEASE || (subcode !== ADMINISTRATIVE_SHUTDOWN && subcode !== ADMINISTRATIVE_RESET)) return "";
  const text = new TextDecoder("utf-8").decode(data.subarray(1, 1 + u8(data, 0)));
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
}
