import { parseName } from "../wire/name.ts";
import { TYPE } from "../wire/registry.ts";
import { LocalZone, type LocalRecord, type Node } from "./local-zone.ts";

/** Seconds; these names never change. */
const BUILT_IN_TTL = 86_400;
/** Seconds that a built-in "no" may be kept. */
const NEGATIVE_TTL = 300;

function name(text: string): Uint8Array {
  return parseName(text) ?? Uint8Array.of(0);
}

/** Mailbox, serial, refresh, retry, expire, minimum: made once, for a hosts file may have many names. */
const SOA_REST = Buffer.concat([name("nobody.invalid"), numbers(1, 3_600, 600, 86_400, NEGATIVE_TTL)]);

function numbers(...values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
}

/** An SOA for zones that no file describes: the zone is its own server. */
export function soaFor(apex: Uint8Array): LocalRecord {
  const data = new Uint8Array(apex.length + SOA_REST.length);
  data.set(apex);
  data.set(SOA_REST, apex.length);
  return { type: TYPE.SOA, ttl: NEGATIVE_TTL, data };
}

/** `4.3.2.1.in-addr.arpa`, or the 32 nibbles below ip6.arpa (RFC 3596 section 2.5). */
export function reverseName(address: Uint8Array): Uint8Array {
  if (address.length === 4) return name(`${[...address].toReversed().join(".")}.in-addr.arpa`);
  const nibbles = [...address].flatMap((byte) => [byte >>> 4, byte & 15]);
  return name(
    `${nibbles
      .toReversed()
      .map((nibble) => nibble.toString(16))
      .join(".")}.ip6.arpa`,
  );
}

/** `localhost` and all below it, and its reverse (RFC 6761 section 6.3, RFC 6303 section 4.2): never asked upstream. */
export function builtInZones(): LocalZone[] {
  const localhost = name("localhost");
  const a: LocalRecord = { type: TYPE.A, ttl: BUILT_IN_TTL, data: Uint8Array.of(127, 0, 0, 1) };
  const loopback6 = new Uint8Array(16);
  loopback6[15] = 1;
  const aaaa: LocalRecord = { type: TYPE.AAAA, ttl: BUILT_IN_TTL, data: loopback6 };
  const node: Node = new Map([
    [TYPE.A, [a]],
    [TYPE.AAAA, [aaaa]],
  ]);
  const forward = new LocalZone(localhost, soaFor(localhost), node);
  forward.add(localhost, a);
  forward.add(localhost, aaaa);
  const pointer: LocalRecord = { type: TYPE.PTR, ttl: BUILT_IN_TTL, data: localhost };
  return [forward, reverseZone("127.in-addr.arpa", reverseName(a.data), pointer), reverse6(loopback6, pointer)];
}

function reverseZone(apex: string, owner: Uint8Array, pointer: LocalRecord): LocalZone {
  const zone = new LocalZone(name(apex), soaFor(name(apex)));
  zone.add(owner, pointer);
  return zone;
}

function reverse6(address: Uint8Array, pointer: LocalRecord): LocalZone {
  const apex = reverseName(address);
  const zone = new LocalZone(apex, soaFor(apex));
  zone.add(apex, pointer);
  return zone;
}
