import { OPT_BYTES } from "../wire/edns.ts";
import { copyBytes, put16, u16 } from "../wire/octets.ts";
import { OPTION } from "../wire/registry.ts";

/** RFC 8467 section 4.1: lengths in steps, so that what is asked and answered cannot be told by them. */
export const QUERY_BLOCK = 128;
export const RESPONSE_BLOCK = 468;
const OPTION_HEADER = 4;
const LARGEST_MESSAGE = 65_535;

/** `message`, whose last record is the OPT record at `opt`, as a copy that is padded to a multiple of `block`. */
export function padded(message: Uint8Array, opt: number, block: number): Uint8Array {
  const least = message.length + OPTION_HEADER;
  const length = Math.min(LARGEST_MESSAGE, Math.ceil(least / block) * block);
  if (least > length) return message;
  const out = new Uint8Array(length);
  copyBytes(message, 0, message.length, out, 0);
  put16(out, message.length, OPTION.PADDING);
  put16(out, message.length + 2, length - least);
  put16(out, opt + OPT_BYTES - 2, u16(message, opt + OPT_BYTES - 2) + length - message.length);
  return out;
}
