import { withdrawnIn } from "./bgp-update.ts";
import type { CapturedPacket, Nanoseconds } from "./lab.ts";

// Offsets in Ethernet II + IPv4 + TCP. A BGP message begins with 16 bytes of ones, then length (2) and type (1).
const ETHERNET = 14;
const PROTOCOL_TCP = 6;
const PROTOCOL_OSPF = 89;
const TYPE_LINK_STATE_UPDATE = 4;
const TYPE_UPDATE = 2;
const HEADER = 19;

/** When the first UPDATE at or after `since` left `source`, by what was on the wire; undefined if none did. */
export function firstUpdate(
  packets: readonly CapturedPacket[],
  source: string,
  since: Nanoseconds,
): Nanoseconds | undefined {
  const seen = packets.find(({ time, bytes }) => time >= since && sourceOf(bytes) === source && carriesUpdate(bytes));
  return seen?.time;
}

/** When `source` closed its TCP side (FIN or RST) at or after `since`: what a router sees of a killed speaker. */
export function firstClose(
  packets: readonly CapturedPacket[],
  source: string,
  since: Nanoseconds,
): Nanoseconds | undefined {
  const seen = packets.find(
    ({ time, bytes }) => time >= since && sourceOf(bytes) === source && (flagsOf(bytes) & 0b101) !== 0,
  );
  return seen?.time;
}

/** When the first OSPF Link State Update (RFC 2328 section A.3.5) left `source`, at or after `since`. */
export function firstLinkStateUpdate(
  packets: readonly CapturedPacket[],
  source: string,
  since: Nanoseconds,
): Nanoseconds | undefined {
  const seen = packets.find(
    ({ time, bytes }) => time >= since && sourceOf(bytes) === source && ospfType(bytes) === TYPE_LINK_STATE_UPDATE,
  );
  return seen?.time;
}

/** How many packets with an UPDATE in them left `source` at or after `since`. */
export function countUpdates(packets: readonly CapturedPacket[], source: string, since: Nanoseconds): number {
  return packets.filter(({ time, bytes }) => time >= since && sourceOf(bytes) === source && carriesUpdate(bytes))
    .length;
}

/** A host route that left its router's table, and when the word was on the wire. */
export interface Withdrawal {
  readonly time: Nanoseconds;
  readonly address: string;
}

/** Every host route that `source` withdrew by an UPDATE at or after `since`. */
export function withdrawals(
  packets: readonly CapturedPacket[],
  source: string,
  since: Nanoseconds,
): readonly Withdrawal[] {
  return packets
    .filter(({ time, bytes }) => time >= since && sourceOf(bytes) === source)
    .flatMap(({ time, bytes }) =>
      updatesIn(bytes)
        .flatMap(withdrawnIn)
        .map((address) => ({ time, address })),
    );
}

function ospfType(bytes: Uint8Array): number | undefined {
  if (bytes[ETHERNET + 9] !== PROTOCOL_OSPF) return undefined;
  return bytes[ETHERNET + ((bytes[ETHERNET] ?? 0) & 0x0f) * 4 + 1];
}

export function sourceOf(bytes: Uint8Array): string {
  return bytes.subarray(ETHERNET + 12, ETHERNET + 16).join(".");
}

function tcpStart(bytes: Uint8Array): number | undefined {
  if (bytes[ETHERNET + 9] !== PROTOCOL_TCP) return undefined;
  return ETHERNET + ((bytes[ETHERNET] ?? 0) & 0x0f) * 4;
}

function flagsOf(bytes: Uint8Array): number {
  const start = tcpStart(bytes);
  return start === undefined ? 0 : (bytes[start + 13] ?? 0);
}

function carriesUpdate(bytes: Uint8Array): boolean {
  return updatesIn(bytes).length > 0;
}

/** The UPDATEs that begin in a segment, header included. One that goes on in the next segment is cut. */
export function updatesIn(bytes: Uint8Array): Uint8Array[] {
  const start = tcpStart(bytes);
  const updates: Uint8Array[] = [];
  if (start === undefined) return updates;
  for (let at = start + ((bytes[start + 12] ?? 0) >> 4) * 4; at + HEADER <= bytes.length;) {
    const length = ((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0);
    if (length < HEADER) break;
    if (bytes[at + 18] === TYPE_UPDATE) updates.push(bytes.subarray(at, at + length));
    at += length;
  }
  return updates;
}
