import fc from "fast-check";

import { encodeKeepalive, encodeMessage, encodeOpen, encodeRouteRefresh } from "../src/wire/index.ts";
import { FOREIGN_OPENS, NOTIFICATIONS, OPENS, UPDATES } from "./vectors/messages.ts";
import { hex, ROUTER } from "./wire-peer.ts";

/** What a router that means harm says in place of its OPEN, or once the session is up; the rest of the talk is good. */
export interface Attack {
  readonly where: "open" | "established";
  readonly messages: readonly Uint8Array[];
  /** Sent in pieces of so many octets. */
  readonly piece: number;
  readonly closes: boolean;
}

export const GOOD_OPEN = encodeOpen({ ...ROUTER, holdTime: 9, families: ["ipv4", "ipv6"] });

const bytesOf = (vectors: readonly { readonly bytes: string }[]): Uint8Array[] =>
  vectors.map(({ bytes }) => hex(bytes));
const opens = [GOOD_OPEN, ...bytesOf([...OPENS, ...FOREIGN_OPENS])];
const others = [
  ...bytesOf([...UPDATES, ...NOTIFICATIONS]),
  encodeKeepalive(),
  encodeRouteRefresh("ipv4"),
  encodeRouteRefresh("ipv6", "begin"),
];

/** Octets are changed, added or taken away; the length field is set right again, or not. */
function mutated(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    kind: fc.constantFrom("set", "insert", "remove", "repeat"),
    at: fc.nat({ max: 4_095 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  });
  const changes = fc.array(change, { minLength: 0, maxLength: 4 });
  return fc.tuple(fc.constantFrom(...seeds), changes, fc.boolean()).map(([seed, list, mended]) => {
    let octets = [...seed];
    for (const { kind, at, bytes } of list) {
      const place = at % (octets.length + 1);
      if (kind === "set") octets.splice(place, bytes.length, ...bytes);
      else if (kind === "insert") octets.splice(place, 0, ...bytes);
      else if (kind === "remove") octets.splice(place, bytes.length);
      else octets = [...octets, ...octets.slice(place)].slice(0, 4_200);
    }
    return mended && octets.length >= 19 ? withTrueHeader(octets) : Uint8Array.from(octets);
  });
}

/** A marker of ones and the length that it has: then what is wrong is in the body. */
function withTrueHeader(octets: readonly number[]): Uint8Array {
  const message = Uint8Array.from(octets.slice(0, 4_096));
  message.fill(0xff, 0, 16);
  message[16] = message.length >>> 8;
  message[17] = message.length & 0xff;
  return message;
}

/** Any attributes behind a good frame: the part of the grammar with the most rules. */
const anyAttributes = fc
  .tuple(
    fc.array(
      fc.tuple(fc.constantFrom(0x40, 0x80, 0xc0, 0x50, 0), fc.nat({ max: 40 }), fc.uint8Array({ maxLength: 30 })),
    ),
    fc.uint8Array({ maxLength: 12 }),
  )
  .map(([attributes, nlri]) => {
    const list = attributes.flatMap(([flags, type, value]) =>
      (flags & 0x10) === 0 ? [flags, type, value.length, ...value] : [flags, type, 0, value.length, ...value],
    );
    return encodeMessage("update", Uint8Array.from([0, 0, list.length >>> 8, list.length & 0xff, ...list, ...nlri]));
  });

const piece = fc.constantFrom(1, 5, 19, 700, 5_000);
export const attack: fc.Arbitrary<Attack> = fc.oneof(
  fc.record({
    where: fc.constant("open" as const),
    messages: mutated(opens).map((message) => [message]),
    piece,
    closes: fc.boolean(),
  }),
  fc.record({
    where: fc.constant("established" as const),
    messages: fc.array(fc.oneof(mutated(others), anyAttributes), { minLength: 1, maxLength: 8 }),
    piece,
    closes: fc.boolean(),
  }),
);

/** The codes that RFCs 4271, 6608, 7313 and 7606 allow in answer to an attack, besides none at all. */
export function allowedCodes({ where }: Attack): readonly number[] {
  // Header, OPEN, hold timer (a message cut short), FSM; once up UPDATE and ROUTE-REFRESH in the place of OPEN.
  return where === "open" ? [1, 2, 4, 5] : [1, 3, 4, 5, 7];
}

export function* piecesOf(messages: readonly Uint8Array[], size: number): Generator<Uint8Array> {
  for (const message of messages) {
    for (let at = 0; at < message.length; at += size) yield message.subarray(at, at + size);
  }
}
