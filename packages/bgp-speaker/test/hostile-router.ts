import fc from "fast-check";

import { encodeKeepalive, encodeMessage, encodeOpen, encodeRouteRefresh } from "../src/wire/index.ts";
import { NOTIFICATIONS, OPENS, ROUTE_REFRESHES, UPDATES } from "./vectors/messages.ts";
import { hex, ROUTER } from "./wire-peer.ts";

export const GOOD_OPEN = encodeOpen({ ...ROUTER, holdTime: 9, families: ["ipv4"] });

/** One thing that a router must not do, at the point where it does it, and the answers that the RFCs allow. */
export interface Offence {
  readonly name: string;
  readonly at: "OpenSent" | "OpenConfirm" | "Established";
  readonly bytes: Uint8Array;
  readonly answer: string;
}

const HEAD = "ff".repeat(16);

function offence(at: Offence["at"], name: string, bytes: string, answer: string): Offence {
  return { at, name, bytes: hex(bytes), answer };
}

/** RFC 4271 sections 6.1 to 6.5, RFC 5492, RFC 6608, RFC 7313, RFC 7606. */
export const OFFENCES: readonly Offence[] = [
  offence("OpenSent", "a marker that is not all ones", `00${"ff".repeat(15)} 0013 04`, "1/1"),
  offence("OpenSent", "a length of 18", `${HEAD} 0012 04`, "1/2"),
  offence("OpenSent", "a length of 4097", `${HEAD} 1001 02`, "1/2"),
  offence("OpenSent", "a message of type 9", `${HEAD} 0013 09`, "1/3"),
  offence("OpenSent", "an OPEN of 28 octets", `${HEAD} 001c 01 04 fde9 0009 0a010001`, "1/2"),
  offence("OpenSent", "version 5", `${HEAD} 001d 01 05 fde9 0009 0a010001 00`, "2/1"),
  offence("OpenSent", "another AS", `${HEAD} 001d 01 04 fdea 0009 0a010001 00`, "2/2"),
  offence("OpenSent", "an identifier of zero", `${HEAD} 001d 01 04 fde9 0009 00000000 00`, "2/3"),
  offence("OpenSent", "an optional parameter of type 1", `${HEAD} 0020 01 04 fde9 0009 0a010001 03 01 01 00`, "2/4"),
  offence("OpenSent", "a hold time of 2", `${HEAD} 001d 01 04 fde9 0002 0a010001 00`, "2/6"),
  offence("OpenSent", "IPv6 alone", `${HEAD} 0025 01 04 fde9 0009 0a010001 08 02 06 01 04 0002 00 01`, "2/7"),
  offence(
    "OpenSent",
    "a parameter that runs past its message",
    `${HEAD} 001f 01 04 fde9 0009 0a010001 02 02 09`,
    "2/0",
  ),
  offence("OpenSent", "a KEEPALIVE before the OPEN", `${HEAD} 0013 04`, "5/1"),
  offence("OpenConfirm", "a second OPEN", `${HEAD} 001d 01 04 fde9 0009 0a010001 00`, "5/2"),
  offence("OpenConfirm", "an UPDATE before the KEEPALIVE", `${HEAD} 0017 02 0000 0000`, "5/2"),
  offence("Established", "an OPEN", `${HEAD} 001d 01 04 fde9 0009 0a010001 00`, "5/3"),
  offence("Established", "a KEEPALIVE of 20 octets", `${HEAD} 0014 04 00`, "1/2"),
  offence("Established", "withdrawn routes that run past the message", `${HEAD} 0017 02 0009 0000`, "3/1"),
  offence("Established", "a prefix of 33 bits", `${HEAD} 001c 02 0000 0000 21 0a0a0a35`, "3/10"),
  offence("Established", "a mark of RFC 7313 of five octets", `${HEAD} 0018 05 0001 01 01 00`, "7/1"),
];

const VECTORS = [...OPENS, ...UPDATES, ...NOTIFICATIONS, ...ROUTE_REFRESHES].map(({ bytes }) => hex(bytes));

const plain = fc.oneof(
  fc.constant(GOOD_OPEN),
  fc.constant(encodeKeepalive()),
  fc.constant(encodeRouteRefresh("ipv4", "begin")),
  fc.constantFrom(...VECTORS),
);

/** Messages with octets changed, cut short, drawn out, said twice, or made up. */
export const mutation: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc
    .tuple(plain, fc.array(fc.tuple(fc.nat({ max: 90 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 5 }))
    .map(([bytes, changes]) => {
      const copy = bytes.slice();
      for (const [at, byte] of changes) copy[at % copy.length] = byte;
      return copy;
    }),
  fc.tuple(plain, fc.nat({ max: 60 })).map(([bytes, length]) => bytes.subarray(0, length)),
  fc.tuple(plain, plain).map(([a, b]) => Uint8Array.from([...a, ...b])),
  fc
    .tuple(fc.constantFrom("open", "update", "notification", "route-refresh"), fc.uint8Array({ maxLength: 200 }))
    .map(([type, body]) => encodeMessage(type, body)),
);
