import { failed, type Decoded } from "./decoded.ts";
import { readUint32, writeUint32 } from "./octets.ts";
import type { Timestamp } from "./timestamp.ts";

/**
 * The header of RFC 5905 section 7.3 (figure 8), 48 octets in network order:
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  0  |LI | VN  |Mode |    Stratum    |     Poll      |   Precision   |
 *  4  |                          Root Delay                           |  16.16 s
 *  8  |                        Root Dispersion                        |  16.16 s
 * 12  |                         Reference ID                          |
 * 16  |                    Reference Timestamp (64)                   |  32.32 s, as are all below
 * 24  |                     Origin Timestamp (64)                     |
 * 32  |                     Receive Timestamp (64)                    |
 * 40  |                     Transmit Timestamp (64)                   |
 * 48  extension fields and MAC, see tail.ts
 */
export const HEADER_BYTES = 48;

export const FLAGS_AT = 0;
export const STRATUM_AT = 1;
export const POLL_AT = 2;
const PRECISION_AT = 3;
export const ROOT_DELAY_AT = 4;
export const ROOT_DISPERSION_AT = 8;
export const REFERENCE_ID_AT = 12;
const REFERENCE_AT = 16;
export const ORIGIN_AT = 24;
export const RECEIVE_AT = 32;
export const TRANSMIT_AT = 40;

/** Association modes, RFC 5905 figure 10. */
export const MODE_SYMMETRIC_ACTIVE = 1;
export const MODE_CLIENT = 3;
export const MODE_SERVER = 4;

/** Leap indicator, RFC 5905 figure 9: 0 none, 1 the last minute of the day has 61 seconds, 2 it has 59, 3 unknown. */
export type Leap = 0 | 1 | 2 | 3;
export const LEAP_UNKNOWN = 3;

export interface Header {
  readonly leap: Leap;
  /** 0..7 */
  readonly version: number;
  /** 0..7 */
  readonly mode: number;
  readonly stratum: number;
  /** log2 seconds, signed */
  readonly poll: number;
  /** log2 seconds, signed */
  readonly precision: number;
  /** units of 2^-16 s */
  readonly rootDelay: number;
  /** units of 2^-16 s */
  readonly rootDispersion: number;
  readonly referenceId: number;
  readonly reference: Timestamp;
  readonly origin: Timestamp;
  readonly receive: Timestamp;
  readonly transmit: Timestamp;
}

export function leapOf(flags: number): Leap {
  return ((flags >>> 6) & 3) as Leap;
}

export function versionOf(flags: number): number {
  return (flags >>> 3) & 7;
}

export function modeOf(flags: number): number {
  return flags & 7;
}

export function flagsOf(leap: Leap, version: number, mode: number): number {
  return (leap << 6) | (version << 3) | mode;
}

/** Fails only when `bytes` is too short to be a header; what the fields mean is the caller's to judge. */
export function decodeHeader(bytes: Uint8Array): Decoded<Header> {
  if (bytes.length < HEADER_BYTES) return failed("short", bytes.length);
  const flags = bytes[FLAGS_AT] ?? 0;
  const value: Header = {
    leap: leapOf(flags),
    version: versionOf(flags),
    mode: modeOf(flags),
    stratum: bytes[STRATUM_AT] ?? 0,
    poll: signed(bytes[POLL_AT] ?? 0),
    precision: signed(bytes[PRECISION_AT] ?? 0),
    rootDelay: readUint32(bytes, ROOT_DELAY_AT),
    rootDispersion: readUint32(bytes, ROOT_DISPERSION_AT),
    referenceId: readUint32(bytes, REFERENCE_ID_AT),
    reference: readTimestamp(bytes, REFERENCE_AT),
    origin: readTimestamp(bytes, ORIGIN_AT),
    receive: readTimestamp(bytes, RECEIVE_AT),
    transmit: readTimestamp(bytes, TRANSMIT_AT),
  };
  return { ok: true, value, end: HEADER_BYTES };
}

/** Writes all 48 octets at `offset`. */
export function encodeHeader(header: Header, into: Uint8Array, offset = 0): void {
  into[offset + FLAGS_AT] = flagsOf(header.leap, header.version, header.mode);
  into[offset + STRATUM_AT] = header.stratum;
  into[offset + POLL_AT] = header.poll;
  into[offset + PRECISION_AT] = header.precision;
  writeUint32(into, offset + ROOT_DELAY_AT, header.rootDelay);
  writeUint32(into, offset + ROOT_DISPERSION_AT, header.rootDispersion);
  writeUint32(into, offset + REFERENCE_ID_AT, header.referenceId);
  writeTimestamp(into, offset + REFERENCE_AT, header.reference);
  writeTimestamp(into, offset + ORIGIN_AT, header.origin);
  writeTimestamp(into, offset + RECEIVE_AT, header.receive);
  writeTimestamp(into, offset + TRANSMIT_AT, header.transmit);
}

/** Four ASCII characters as a reference id: a kiss code or the name of a reference clock; `""` is 0. */
export function referenceIdOf(name: string): number {
  let id = 0;
  for (let i = 0; i < 4; i += 1) id = (id << 8) | (i < name.length ? name.charCodeAt(i) & 0xff : 0);
  return id >>> 0;
}

function readTimestamp(bytes: Uint8Array, at: number): Timestamp {
  return { seconds: readUint32(bytes, at), fraction: readUint32(bytes, at + 4) };
}

function writeTimestamp(into: Uint8Array, at: number, { seconds, fraction }: Timestamp): void {
  writeUint32(into, at, seconds);
  writeUint32(into, at + 4, fraction);
}

function signed(octet: number): number {
  return (octet << 24) >> 24;
}
