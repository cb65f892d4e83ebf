import { HEADER_BYTES } from "./packet.ts";
import { readUint16 } from "./octets.ts";

/** What follows the header. Small integers: this runs for every datagram that is longer than a header. */
export const TAIL_NONE = 0;
export const TAIL_EXTENSIONS = 1;
export const TAIL_MAC = 2;
export const TAIL_MALFORMED = 3;
export type Tail = typeof TAIL_NONE | typeof TAIL_EXTENSIONS | typeof TAIL_MAC | typeof TAIL_MALFORMED;

/** RFC 7822 section 7.5: the last extension field has at least 28 octets when no MAC follows. */
const SHORTEST_LAST_EXTENSION = 28;
/** RFC 7822 section 7.5: an extension field has at least 16 octets. */
const SHORTEST_EXTENSION = 16;
/** A key id alone (crypto-NAK), with MD5 or AES-CMAC (128 bits), with SHA-1 (160 bits). */
const MAC_BYTES = new Set([4, 20, 24]);
/** Versions before 4 have no extension fields: what follows the header can only be a MAC. */
const FIRST_VERSION_WITH_EXTENSIONS = 4;

/**
 * Tells extension fields from a MAC by length, the only thing that does (RFC 7822 section 7.5):
 *
 *     0                   1                   2                   3
 *     |          Field Type           |        Field Length           |  length counts these four octets
 *     |                     Value, padded to 4                        |
 *
 * Every turn of the loop consumes at least 16 octets of one datagram.
 */
export function classifyTail(bytes: Uint8Array, offset: number, length: number, version: number): Tail {
  if (length === HEADER_BYTES) return TAIL_NONE;
  if (version < FIRST_VERSION_WITH_EXTENSIONS) return TAIL_MAC;
  let at = HEADER_BYTES;
  while (length - at >= SHORTEST_LAST_EXTENSION) {
    const field = readUint16(bytes, offset + at + 2);
    if (field < SHORTEST_EXTENSION || field % 4 !== 0 || field > length - at) return TAIL_MALFORMED;
    at += field;
  }
  if (at === length) return TAIL_EXTENSIONS;
  return MAC_BYTES.has(length - at) ? TAIL_MAC : TAIL_MALFORMED;
}
