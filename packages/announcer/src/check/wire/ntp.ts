/*
 * A client's request and what must be known of the reply (RFC 5905 section 7.3).
 *
 *   0           1        2     3      ... 12         ... 24           ... 40
 *   | LI VN Mode| stratum| poll| prec.|   reference id|   origin (8)  |   transmit (8)
 */

const PACKET = 48;
const STRATUM = 1;
const REFERENCE_ID = 12;
const ORIGIN = 24;
const TRANSMIT = 40;
const VERSION = 4;
const CLIENT = 3;
const SERVER = 4;
const UNSYNCHRONISED = 3;
const WORST_STRATUM = 15;

/** `cookie`, eight random octets, stands where the time of sending would: the reply must repeat it. */
export function encodeRequest(cookie: Uint8Array): Uint8Array {
  const request = new Uint8Array(PACKET);
  request[0] = (VERSION << 3) | CLIENT;
  request.set(cookie.subarray(0, 8), TRANSMIT);
  return request;
}

export type NtpReply =
  | { readonly kind: "time"; readonly stratum: number; readonly leap: number }
  | { readonly kind: "unsynchronised"; readonly stratum: number }
  /** Stratum 0: a kiss code instead of time, such as RATE or DENY. */
  | { readonly kind: "kiss"; readonly code: string };

/** The reply to the request with this cookie; undefined when the datagram is not one. */
export function decodeReply(reply: Uint8Array, cookie: Uint8Array): NtpReply | undefined {
  if (reply.length < PACKET) return undefined;
  const first = reply[0] ?? 0;
  if ((first & 0x07) !== SERVER) return undefined;
  for (let i = 0; i < 8; i += 1) if (reply[ORIGIN + i] !== cookie[i]) return undefined;
  const stratum = reply[STRATUM] ?? 0;
  const leap = first >> 6;
  if (stratum === 0) return { kind: "kiss", code: kissCode(reply) };
  if (leap === UNSYNCHRONISED || stratum > WORST_STRATUM) return { kind: "unsynchronised", stratum };
  return { kind: "time", stratum, leap };
}

function kissCode(reply: Uint8Array): string {
  const octets = [...reply.subarray(REFERENCE_ID, REFERENCE_ID + 4)];
  return octets.map((octet) => (octet > 0x20 && octet < 0x7f ? String.fromCodePoint(octet) : "?")).join("");
}
