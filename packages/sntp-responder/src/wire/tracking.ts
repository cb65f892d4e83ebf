import { failed, type Decoded } from "./decoded.ts";
import { readUint16, readUint32, writeUint16, writeUint32 } from "./octets.ts";

/**
 * The "tracking" request of chronyd's command protocol, version 6, network order. Request and reply have the same
 * length, so that the port amplifies nothing.
 *
 *   0 version 6 | 1 packet type, 1 request 2 reply | 4..5 command 33
 *   request:  8..11 sequence
 *   reply:    6..7 reply 5 | 8..9 status 0 | 16..19 sequence | 28..103 data:
 *     28 reference id | 32 source address (20) | 52 stratum (16 bits) | 54 leap (16 bits)
 *     56 reference time: seconds high, low, nanoseconds | 68 current correction | 72 last offset | 76 RMS offset
 *     80 frequency | 84 residual frequency | 88 skew | 92 root delay | 96 root dispersion | 100 last update interval
 */
const TRACKING_BYTES = 104;

const VERSION = 6;
const REQUEST = 1;
const REPLY = 2;
const COMMAND_TRACKING = 33;
const REPLY_TRACKING = 5;
const STATUS_SUCCESS = 0;

const TYPE_AT = 1;
const COMMAND_AT = 4;
const REPLY_AT = 6;
const STATUS_AT = 8;
const REQUEST_SEQUENCE_AT = 8;
const REPLY_SEQUENCE_AT = 16;
const REFERENCE_ID_AT = 28;
const STRATUM_AT = 52;
const LEAP_AT = 54;
const REFERENCE_SECONDS_HIGH_AT = 56;
const REFERENCE_SECONDS_AT = 60;
const REFERENCE_NANOSECONDS_AT = 64;
const CORRECTION_AT = 68;
const ROOT_DELAY_AT = 92;
const ROOT_DISPERSION_AT = 96;

/** High word of a time_t that was sent as 32 bits. */
const NO_HIGH_WORD = 0x7fff_ffff;

export interface Tracking {
  readonly referenceId: number;
  readonly stratum: number;
  /** 0..3 as on the NTP wire; anything else is read as 3. */
  readonly leap: 0 | 1 | 2 | 3;
  /** Microseconds since 1970 of the daemon's last update. */
  readonly referenceMicros: number;
  /** Seconds by which the system clock is still off, by the daemon's estimate. */
  readonly correction: number;
  /** seconds */
  readonly rootDelay: number;
  /** seconds */
  readonly rootDispersion: number;
}

export function encodeTrackingRequest(sequence: number): Uint8Array {
  const bytes = new Uint8Array(TRACKING_BYTES);
  bytes[0] = VERSION;
  bytes[TYPE_AT] = REQUEST;
  writeUint16(bytes, COMMAND_AT, COMMAND_TRACKING);
  writeUint32(bytes, REQUEST_SEQUENCE_AT, sequence);
  return bytes;
}

export function decodeTrackingReply(bytes: Uint8Array, sequence: number): Decoded<Tracking> {
  if (bytes.length < REFERENCE_ID_AT) return failed("short", bytes.length);
  if (bytes[0] !== VERSION) return failed("version", 0);
  if (bytes[TYPE_AT] !== REPLY) return failed("type", TYPE_AT);
  if (readUint16(bytes, COMMAND_AT) !== COMMAND_TRACKING) return failed("command", COMMAND_AT);
  if (readUint32(bytes, REPLY_SEQUENCE_AT) !== sequence) return failed("sequence", REPLY_SEQUENCE_AT);
  if (readUint16(bytes, STATUS_AT) !== STATUS_SUCCESS) return failed("status", STATUS_AT);
  if (readUint16(bytes, REPLY_AT) !== REPLY_TRACKING) return failed("command", REPLY_AT);
  if (bytes.length < TRACKING_BYTES) return failed("short", bytes.length);
  return { ok: true, value: readTracking(bytes), end: TRACKING_BYTES };
}

function readTracking(bytes: Uint8Array): Tracking {
  const leap = readUint16(bytes, LEAP_AT);
  return {
    referenceId: readUint32(bytes, REFERENCE_ID_AT),
    stratum: readUint16(bytes, STRATUM_AT),
    leap: leap === 0 || leap === 1 || leap === 2 ? leap : 3,
    referenceMicros: readReferenceMicros(bytes),
    correction: readFloat(bytes, CORRECTION_AT),
    rootDelay: Math.max(0, readFloat(bytes, ROOT_DELAY_AT)),
    rootDispersion: Math.max(0, readFloat(bytes, ROOT_DISPERSION_AT)),
  };
}

function readReferenceMicros(bytes: Uint8Array): number {
  const high = readUint32(bytes, REFERENCE_SECONDS_HIGH_AT);
  const seconds = (high === NO_HIGH_WORD ? 0 : high) * 2 ** 32 + readUint32(bytes, REFERENCE_SECONDS_AT);
  return seconds * 1e6 + Math.floor(readUint32(bytes, REFERENCE_NANOSECONDS_AT) / 1_000);
}

/** The protocol's own number: a signed exponent of 7 bits, then a signed coefficient of 25: c * 2^(e - 25). */
export function readFloat(bytes: Uint8Array, at: number): number {
  const word = readUint32(bytes, at);
  const exponent = (word | 0) >> 25;
  const coefficient = (word << 7) >> 7;
  return coefficient * 2 ** (exponent - 25);
}
