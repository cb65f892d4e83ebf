import { formatAddress, parseAddress, type Family } from "./address.ts";
import { ByteWriter, u16, u8 } from "./bytes.ts";
import { type Capabilities, decodeCapabilities, encodeCapabilities, NO_CAPABILITIES } from "./capability.ts";
import { type Decoded, decoded, refused } from "./decoded.ts";
import { encodeMessage } from "./header.ts";

/**
 * OPEN, RFC 4271 section 4.2.
 *
 *     0         1       3      5            9       10
 *     | version | my AS | hold | identifier | plen  | parameters: type (1) | length (1) | value ...
 *
 * RFC 9072 (read, never sent): a first type of 255 means, whatever plen says, `length of all (2)` and then parameters
 * whose length takes two octets.
 */
export interface Open {
  /** The two-octet field; AS_TRANS for a number that does not fit. */
  readonly as2: number;
  /** Seconds. */
  readonly holdTime: number;
  readonly routerId: string;
  readonly capabilities: Capabilities;
}

/** RFC 6793 section 9: stands in two octets for an AS number that needs four. */
export const AS_TRANS = 23_456;
const VERSION = 4;
const FIXED_BYTES = 10;
const CAPABILITIES_PARAMETER = 2;
const EXTENDED_LENGTH = 255;

/** The two-octet form of an AS number. */
export function twoOctetAs(asn: number): number {
  return asn > 0xffff ? AS_TRANS : asn;
}

/** The peer's real AS number: the capability's where there is one. */
export function openAsn(open: Open): number {
  return open.capabilities.fourOctetAs ?? open.as2;
}

/** An OPEN with its capabilities in one optional parameter, the form that every known peer reads. */
export function encodeOpen(open: {
  readonly asn: number;
  readonly holdTime: number;
  readonly routerId: string;
  readonly families: readonly Family[];
}): Uint8Array {
  const capabilities = encodeCapabilities(open.families, open.asn);
  const body = new ByteWriter(FIXED_BYTES + 2 + capabilities.length)
    .u8(VERSION)
    .u16(twoOctetAs(open.asn))
    .u16(open.holdTime)
    .bytes(parseAddress(open.routerId) ?? new Uint8Array(4))
    .u8(capabilities.length + 2)
    .u8(CAPABILITIES_PARAMETER)
    .u8(capabilities.length)
    .bytes(capabilities);
  return encodeMessage("open", body.finish());
}

/** Reads an OPEN's shape. Whether its values suit this session is `negotiate`'s question. */
export function decodeOpen(body: Uint8Array): Decoded<Open> {
  if (body.length < FIXED_BYTES) return refused(1, 2, `open body of ${body.length} octets`);
  // RFC 4271 section 6.2: the data is the largest version spoken here.
  if (u8(body, 0) !== VERSION) return refused(2, 1, `version ${u8(body, 0)}`, Uint8Array.of(0, VERSION));
  const capabilities = decodeParameters(body.subarray(FIXED_BYTES - 1));
  if (!capabilities.ok) return capabilities;
  return decoded({
    as2: u16(body, 1),
    holdTime: u16(body, 3),
    routerId: formatAddress(body.subarray(5, 9)),
    capabilities: capabilities.value,
  });
}

/** `bytes` begins at the parameters' length octet. */
function decodeParameters(bytes: Uint8Array): Decoded<Capabilities> {
  const extended = u8(bytes, 0) !== 0 && u8(bytes, 1) === EXTENDED_LENGTH && bytes.length >= 4;
  const start = extended ? 4 : 1;
  const declared = extended ? u16(bytes, 2) : u8(bytes, 0);
  if (start + declared !== bytes.length) return refused(2, 0, `optional parameters of ${declared} octets do not fit`);
  const head = extended ? 3 : 2;
  let capabilities = NO_CAPABILITIES;
  for (let at = start; at < bytes.length;) {
    const type = u8(bytes, at);
    const end = at + head + (extended ? u16(bytes, at + 1) : u8(bytes, at + 1));
    if (at + head > bytes.length || end > bytes.length)
      return refused(2, 0, "optional parameter runs past the message");
    if (type !== CAPABILITIES_PARAMETER) return refused(2, 4, `optional parameter ${type}`);
    const more = decodeCapabilities(bytes.subarray(at + head, end), capabilities);
    if (!more.ok) return more;
    capabilities = more.value;
    at = end;
  }
  return decoded(capabilities);
}
