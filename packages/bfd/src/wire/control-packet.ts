import type { Decoded } from "./decoded.ts";
import { type BfdState, stateCode, stateOf } from "./state.ts";

export const VERSION = 1;
/** The mandatory section; ours have nothing else. */
export const CONTROL_PACKET_BYTES = 24;
/** Up to and with the length. */
const HEAD_BYTES = 4;
/** With the two octets that every authentication section begins with (section 4.1, Length). */
const AUTHENTICATED_BYTES = 26;

const POLL = 0x20;
const FINAL = 0x10;
const CONTROL_PLANE_INDEPENDENT = 0x08;
const AUTHENTICATION_PRESENT = 0x04;
const DEMAND = 0x02;
const MULTIPOINT = 0x01;

/**
 * RFC 5880 section 4.1. Intervals are in microseconds, as on the wire.
 *
 *     0               1               2               3
 *     | vers | diag   |sta|P|F|C|A|D|M| detect mult   | length        |
 *  4  | my discriminator                                              |
 *  8  | your discriminator                                            |
 * 12  | desired min TX interval                                       |
 * 16  | required min RX interval                                      |
 * 20  | required min echo RX interval                                 |
 * 24  | authentication section, where A is set ...
 */
export interface ControlPacket {
  readonly diagnostic: number;
  readonly state: BfdState;
  readonly poll: boolean;
  readonly final: boolean;
  /** C: the sender's BFD outlives its control plane. Ours lives in the announcer, so never. */
  readonly controlPlaneIndependent: boolean;
  /** A: an authentication section follows; it is not read here. */
  readonly authenticationPresent: boolean;
  readonly demand: boolean;
  readonly detectMultiplier: number;
  readonly myDiscriminator: number;
  readonly yourDiscriminator: number;
  readonly desiredMinTx: number;
  readonly requiredMinRx: number;
  readonly requiredMinEchoRx: number;
}

/** What we send: no authentication, neither demand mode nor echo, C bit 0. */
export type OwnPacket = Omit<
  ControlPacket,
  "controlPlaneIndependent" | "authenticationPresent" | "demand" | "requiredMinEchoRx"
>;

export function encodeControlPacket(packet: OwnPacket): Uint8Array {
  const bytes = new Uint8Array(CONTROL_PACKET_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = (VERSION << 5) | packet.diagnostic;
  bytes[1] = (stateCode(packet.state) << 6) | (packet.poll ? POLL : 0) | (packet.final ? FINAL : 0);
  bytes[2] = packet.detectMultiplier;
  bytes[3] = CONTROL_PACKET_BYTES;
  view.setUint32(4, packet.myDiscriminator);
  view.setUint32(8, packet.yourDiscriminator);
  view.setUint32(12, packet.desiredMinTx);
  view.setUint32(16, packet.requiredMinRx);
  return bytes;
}

/**
 * The checks of section 6.8.6 that need nothing but the packet, in the RFC's order. Whose it is, and what of
 * authentication, are questions for the session table. Octets beyond the packet's own length are none of ours.
 */
export function decodeControlPacket(bytes: Uint8Array): Decoded<ControlPacket> {
  if (bytes.length < HEAD_BYTES) return { ok: false, reason: "truncated" };
  const flags = octet(bytes, 1);
  const length = octet(bytes, 3);
  if (octet(bytes, 0) >>> 5 !== VERSION) return { ok: false, reason: "unsupported-version" };
  if (length < ((flags & AUTHENTICATION_PRESENT) === 0 ? CONTROL_PACKET_BYTES : AUTHENTICATED_BYTES)) {
    return { ok: false, reason: "bad-length" };
  }
  if (length > bytes.length) return { ok: false, reason: "truncated" };
  const value = fieldsOf(bytes, flags);
  if (value.detectMultiplier === 0) return { ok: false, reason: "zero-multiplier" };
  if ((flags & MULTIPOINT) !== 0) return { ok: false, reason: "multipoint" };
  if (value.myDiscriminator === 0) return { ok: false, reason: "zero-my-discriminator" };
  return { ok: true, value };
}

function fieldsOf(bytes: Uint8Array, flags: number): ControlPacket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    diagnostic: octet(bytes, 0) & 0x1f,
    state: stateOf(flags >>> 6),
    poll: (flags & POLL) !== 0,
    final: (flags & FINAL) !== 0,
    controlPlaneIndependent: (flags & CONTROL_PLANE_INDEPENDENT) !== 0,
    authenticationPresent: (flags & AUTHENTICATION_PRESENT) !== 0,
    demand: (flags & DEMAND) !== 0,
    detectMultiplier: octet(bytes, 2),
    myDiscriminator: view.getUint32(4),
    yourDiscriminator: view.getUint32(8),
    desiredMinTx: view.getUint32(12),
    requiredMinRx: view.getUint32(16),
    requiredMinEchoRx: view.getUint32(20),
  };
}

/** A read past the end counts as zero, never as an exception. */
function octet(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
