import { encodeMessage } from "./header.ts";

/** KEEPALIVE, RFC 4271 section 4.4: the header alone. */
export function encodeKeepalive(): Uint8Array {
  return encodeMessage("keepalive");
}
