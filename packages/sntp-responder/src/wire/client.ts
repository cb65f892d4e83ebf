import {
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  MODE_CLIENT,
  MODE_SERVER,
  ORIGIN_AT,
  TRANSMIT_AT,
  type Header,
} from "./packet.ts";
import { ZERO_TIMESTAMP } from "./timestamp.ts";

const VERSION = 4;

export type ServerReply = Header;

/**
 * A mode 3 request that tells nothing about us. `cookie`, eight random octets, stands where the transmit time would: the
 * reply must give it back, so that one who cannot read the request cannot answer it.
 */
export function encodeClientRequest(cookie: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const zero = ZERO_TIMESTAMP;
  encodeHeader(
    {
      leap: 0,
      version: VERSION,
      mode: MODE_CLIENT,
      stratum: 0,
      poll: 0,
      precision: 0,
      rootDelay: 0,
      rootDispersion: 0,
      referenceId: 0,
      reference: zero,
      origin: zero,
      receive: zero,
      transmit: zero,
    },
    bytes,
  );
  bytes.set(cookie.subarray(0, 8), TRANSMIT_AT);
  return bytes;
}

/** The reply to that request (RFC 4330 section 5: mode, version, origin, a transmit time); undefined for anything else. */
export function decodeServerReply(bytes: Uint8Array, cookie: Uint8Array): ServerReply | undefined {
  const decoded = decodeHeader(bytes);
  if (!decoded.ok) return undefined;
  const { value } = decoded;
  if (value.mode !== MODE_SERVER || value.version !== VERSION) return undefined;
  for (let i = 0; i < 8; i += 1) if (bytes[ORIGIN_AT + i] !== cookie[i]) return undefined;
  return value.transmit.seconds === 0 && value.transmit.fraction === 0 ? undefined : value;
}
