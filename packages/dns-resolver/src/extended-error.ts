import { MESSAGE_AT, type Slab } from "./cache/image.ts";
import { AT } from "./wire/header.ts";
import { EDE, RCODE } from "./wire/registry.ts";

/** Data of the EDE option (RFC 8914 section 2): the code, then a sentence for whoever runs `dig`. */
export function extendedError(code: number, text = ""): Uint8Array {
  return Uint8Array.from([code >>> 8, code & 0xff, ...Buffer.from(text)]);
}

/** Written once: the datagram path only copies them. */
export const EXTENDED = {
  noRoute: extendedError(
    EDE.NOT_AUTHORITATIVE,
    "no route for this name: add dns.routes or start with --forward system",
  ),
  prohibited: extendedError(EDE.PROHIBITED),
  notRecursive: extendedError(EDE.NOT_AUTHORITATIVE, "only local names are answered without recursion desired"),
  notSupported: extendedError(EDE.NOT_SUPPORTED),
  stale: extendedError(EDE.STALE_ANSWER),
  staleNxdomain: extendedError(EDE.STALE_NXDOMAIN),
  loop: extendedError(EDE.OTHER, "this question was ours: a forwarding loop"),
  aliasLoop: extendedError(EDE.OTHER, "an alias (CNAME) leads back to itself"),
  aliasTooLong: extendedError(EDE.OTHER, "aliases (CNAME) lead through too many routes"),
  aliasCut: extendedError(EDE.OTHER, "the lists were changed while this was asked for: ask again"),
  aliasTooLarge: extendedError(EDE.OTHER, "the answer with its aliases (CNAME) is more than fits a message"),
  busy: extendedError(EDE.NO_REACHABLE_AUTHORITY, "too many questions wait for the upstreams of this route"),
} as const;

/** What is said of an expired image (RFC 8914 sections 4.4 and 4.20). */
export function staleError({ bytes }: Slab): Uint8Array {
  const rcode = (bytes[MESSAGE_AT + AT.lowFlags] ?? 0) & 0x0f;
  return rcode === RCODE.NXDOMAIN ? EXTENDED.staleNxdomain : EXTENDED.stale;
}
