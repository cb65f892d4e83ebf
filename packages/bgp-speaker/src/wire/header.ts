import { ByteWriter, concat, u16, u8 } from "./bytes.ts";
import { type Decoded, decoded, NO_BYTES, refused } from "./decoded.ts";

/**
 * RFC 4271 section 4.1.
 *
 *     0               16        18     19
 *     | marker (ones) | length  | type | body ...
 *
 * Length counts the whole message. RFC 8654 (64 KiB messages) is not advertised, so 4096 is the most a peer may send.
 */
export const HEADER_BYTES = 19;
export const MAX_MESSAGE_BYTES = 4_096;
const MARKER_BYTES = 16;

export type MessageType = "open" | "update" | "notification" | "keepalive" | "route-refresh";

interface TypeSpec {
  readonly type: MessageType;
  readonly shortest: number;
  readonly longest: number;
}

const TYPES: ReadonlyMap<number, TypeSpec> = new Map<number, TypeSpec>([
  [1, { type: "open", shortest: 29, longest: MAX_MESSAGE_BYTES }],
  [2, { type: "update", shortest: 23, longest: MAX_MESSAGE_BYTES }],
  [3, { type: "notification", shortest: 21, longest: MAX_MESSAGE_BYTES }],
  [4, { type: "keepalive", shortest: HEADER_BYTES, longest: HEADER_BYTES }],
  // RFC 2918 section 3: 23. Which error another length is depends on the subtype, see `decodeRouteRefresh`.
  [5, { type: "route-refresh", shortest: 22, longest: MAX_MESSAGE_BYTES }],
]);

const TYPE_CODES: Readonly<Record<MessageType, number>> = {
  open: 1,
  update: 2,
  notification: 3,
  keepalive: 4,
  "route-refresh": 5,
};

export interface Framed {
  readonly type: MessageType;
  readonly body: Uint8Array;
  /** Octets on the wire, header included. */
  readonly size: number;
}

/** Wraps a body of at most 4077 octets into a message. */
export function encodeMessage(type: MessageType, body: Uint8Array = NO_BYTES): Uint8Array {
  const writer = new ByteWriter(HEADER_BYTES + body.length);
  for (let i = 0; i < MARKER_BYTES; i++) writer.u8(0xff);
  return writer
    .u16(HEADER_BYTES + body.length)
    .u8(TYPE_CODES[type])
    .bytes(body)
    .finish();
}

/** The type of a whole message of our own making. */
export function messageType(message: Uint8Array): MessageType {
  return TYPES.get(u8(message, HEADER_BYTES - 1))?.type ?? "keepalive";
}

/** The number of a type on the wire. */
export function typeCode(type: MessageType): number {
  return TYPE_CODES[type];
}

/** Reads the header at `at`; `undefined` means that more bytes are needed. Errors are those of RFC 4271 section 6.1. */
function decodeHeader(bytes: Uint8Array, at: number): Decoded<Framed> | undefined {
  const available = bytes.length - at;
  const seen = bytes.subarray(at, at + Math.min(available, MARKER_BYTES));
  if (seen.some((byte) => byte !== 0xff)) return refused(1, 1, "marker is not all ones");
  if (available < HEADER_BYTES) return undefined;
  const size = u16(bytes, at + MARKER_BYTES);
  const code = u8(bytes, at + MARKER_BYTES + 2);
  const lengthField = bytes.slice(at + MARKER_BYTES, at + MARKER_BYTES + 2);
  if (size < HEADER_BYTES || size > MAX_MESSAGE_BYTES) return refused(1, 2, `message length ${size}`, lengthField);
  const spec = TYPES.get(code);
  if (spec === undefined) return refused(1, 3, `message type ${code}`, Uint8Array.of(code));
  if (size < spec.shortest || size > spec.longest) return refused(1, 2, `${spec.type} of ${size} octets`, lengthField);
  if (available < size) return undefined;
  return decoded({ type: spec.type, body: bytes.subarray(at + HEADER_BYTES, at + size), size });
}

/**
 * Cuts a TCP stream into messages. Holds at most one incomplete message (under 4096 octets) between chunks, whatever
 * the peer does; after an error it gives nothing more, because nothing after a bad header can be located.
 */
export class Framer {
  #rest: Uint8Array = NO_BYTES;
  #broken = false;

  /** The complete messages in what has arrived, in order, ending with the error if there is one. */
  *push(chunk: Uint8Array): Generator<Decoded<Framed>> {
    const bytes = this.#rest.length === 0 ? chunk : concat([this.#rest, chunk]);
    this.#rest = NO_BYTES;
    let at = 0;
    while (!this.#broken && at < bytes.length) {
      const framed = decodeHeader(bytes, at);
      if (framed === undefined) break;
      this.#broken = !framed.ok;
      at += framed.ok ? framed.value.size : 0;
      yield framed;
    }
    if (!this.#broken) this.#rest = bytes.slice(at);
  }
}
