import { asSequence } from "../../src/wire/as-path.ts";
import {
  extendedCommunity,
  type Notification,
  type Open,
  type RouteRefresh,
  type Update,
} from "../../src/wire/index.ts";

/** What is meant, the exact bytes of the whole message, and the value they decode to. */
export interface Vector<T> {
  readonly intent: string;
  readonly bytes: string;
  readonly value: T;
}

const HEAD = "ffffffffffffffffffffffffffffffff";
const PATH = { origin: 0, asPath: asSequence([65101]) };
const VIP = { family: "ipv4", address: "10.10.10.53", length: 32 } as const;
const TWIN = { family: "ipv6", address: "fd00:10:10::53", length: 128 } as const;
const NOTHING = { withdrawn: [], announced: [], problems: [] } as const;

export const OPENS: readonly Vector<Open>[] = [
  {
    intent: "AS 65101 by its two octets and by capability, hold 9 s, IPv4 unicast, route refresh, plain and enhanced",
    bytes: `${HEAD} 002f 01 04 fe4d 0009 0a01000a 12 02 10 01 04 0001 00 01 02 00 41 04 0000fe4d 46 00`,
    value: {
      as2: 65101,
      holdTime: 9,
      routerId: "10.1.0.10",
      capabilities: {
        families: ["ipv4"],
        multiprotocol: true,
        routeRefresh: true,
        enhancedRouteRefresh: true,
        fourOctetAs: 65101,
        codes: [1, 2, 65, 70],
      },
    },
  },
  {
    intent: "AS 4200000000 does not fit: AS_TRANS stands in the fixed field (RFC 6793)",
    bytes: `${HEAD} 0035 01 04 5ba0 005a c0000201 18 02 16 01 04 0001 00 01 01 04 0002 00 01 02 00 41 04 fa56ea00 46 00`,
    value: {
      as2: 23456,
      holdTime: 90,
      routerId: "192.0.2.1",
      capabilities: {
        families: ["ipv4", "ipv6"],
        multiprotocol: true,
        routeRefresh: true,
        enhancedRouteRefresh: true,
        fourOctetAs: 4_200_000_000,
        codes: [1, 2, 65, 70],
      },
    },
  },
];

/** Read, never sent: an encoder does not make these bytes. */
export const FOREIGN_OPENS: readonly Vector<Open>[] = [
  {
    intent: "an old speaker without any optional parameter",
    bytes: `${HEAD} 001d 01 04 fde9 00b4 c0000201 00`,
    value: {
      as2: 65001,
      holdTime: 180,
      routerId: "192.0.2.1",
      capabilities: {
        families: [],
        multiprotocol: false,
        routeRefresh: false,
        enhancedRouteRefresh: false,
        fourOctetAs: undefined,
        codes: [],
      },
    },
  },
  {
    intent: "one capability a parameter, with graceful restart and one that nobody knows (RFC 5492)",
    bytes: `${HEAD} 0035 01 04 fde9 00f0 c0000201 18 02 06 01 04 0001 00 01 02 02 02 00 02 04 40 02 0078 02 04 c8 02 0102`,
    value: {
      as2: 65001,
      holdTime: 240,
      routerId: "192.0.2.1",
      capabilities: {
        families: ["ipv4"],
        multiprotocol: true,
        routeRefresh: true,
        enhancedRouteRefresh: false,
        fourOctetAs: undefined,
        codes: [1, 2, 64, 200],
      },
    },
  },
  {
    intent: "the extended form of the parameters (RFC 9072)",
    bytes: `${HEAD} 0029 01 04 fde9 005a c0000201 ff ff 0009 02 0006 41 04 0000fde9`,
    value: {
      as2: 65001,
      holdTime: 90,
      routerId: "192.0.2.1",
      capabilities: {
        families: [],
        multiprotocol: false,
        routeRefresh: false,
        enhancedRouteRefresh: false,
        fourOctetAs: 65001,
        codes: [65],
      },
    },
  },
  {
    intent: "the extended form though the first length says 4: the type of 255 alone decides (RFC 9072 section 2)",
    bytes: `${HEAD} 0029 01 04 fde9 005a c0000201 04 ff 0009 02 0006 41 04 0000fde9`,
    value: {
      as2: 65001,
      holdTime: 90,
      routerId: "192.0.2.1",
      capabilities: {
        families: [],
        multiprotocol: false,
        routeRefresh: false,
        enhancedRouteRefresh: false,
        fourOctetAs: 65001,
        codes: [65],
      },
    },
  },
];

/** For a four-octet session. */
export const UPDATES: readonly Vector<Update>[] = [
  {
    intent: "announce 10.10.10.53/32 plainly",
    bytes: `${HEAD} 0030 02 0000 0014 400101 00 400206 02 01 0000fe4d 400304 0a01000a 20 0a0a0a35`,
    value: { ...NOTHING, attributes: { ...PATH, nextHop: "10.1.0.10" }, announced: [VIP] },
  },
  {
    intent: "last resort: MED 4294967294, GRACEFUL_SHUTDOWN, large community 65101:1:7, AS four times",
    bytes: `${HEAD} 0059 02 0000 003d 400101 00 400212 02 04 0000fe4d 0000fe4d 0000fe4d 0000fe4d 400304 0a01000a
      800404 fffffffe c00804 ffff0000 c0200c 0000fe4d 00000001 00000007 20 0a0a0a35`,
    value: {
      ...NOTHING,
      attributes: {
        origin: 0,
        asPath: asSequence([65101, 65101, 65101, 65101]),
        nextHop: "10.1.0.10",
        med: 4_294_967_294,
        communities: [0xffff0000],
        largeCommunities: [{ global: 65101, local1: 1, local2: 7 }],
      },
      announced: [VIP],
    },
  },
  {
    intent: "iBGP: an empty AS_PATH and LOCAL_PREF 100",
    bytes: `${HEAD} 0031 02 0000 0015 400101 00 400200 400304 0a01000a 400504 00000064 20 0a0a0a35`,
    value: {
      ...NOTHING,
      attributes: { origin: 0, asPath: [], nextHop: "10.1.0.10", localPref: 100 },
      announced: [VIP],
    },
  },
  {
    intent: "route target 65101:7 and site of origin 4200000000:9 (RFC 4360, RFC 5668)",
    bytes: `${HEAD} 0043 02 0000 0027 400101 00 400206 02 01 0000fe4d 400304 0a01000a
      c01010 0002fe4d00000007 0203fa56ea000009 20 0a0a0a35`,
    value: {
      ...NOTHING,
      attributes: {
        ...PATH,
        nextHop: "10.1.0.10",
        extendedCommunities: [extendedCommunity("rt", 65101, 7), extendedCommunity("soo", 4_200_000_000, 9)],
      },
      announced: [VIP],
    },
  },
  {
    intent: "withdraw 10.10.10.53/32 and 10.0.0.0/8",
    bytes: `${HEAD} 001e 02 0007 20 0a0a0a35 08 0a 0000`,
    value: { ...NOTHING, withdrawn: [VIP, { family: "ipv4", address: "10.0.0.0", length: 8 }], attributes: {} },
  },
  {
    intent: "announce fd00:10:10::53/128 by MP_REACH_NLRI, first of the attributes (RFC 7606 section 5.1)",
    bytes: `${HEAD} 004d 02 0000 0036 800e26 0002 01 10 fd000000000000000000000000000001 00
      80 fd000010001000000000000000000053 400101 00 400206 02 01 0000fe4d`,
    value: { ...NOTHING, attributes: { ...PATH, mpReach: { family: "ipv6", nextHop: "fd00::1", prefixes: [TWIN] } } },
  },
  {
    intent: "withdraw fd00:10:10::53/128 by MP_UNREACH_NLRI",
    bytes: `${HEAD} 002e 02 0000 0017 800f14 0002 01 80 fd000010001000000000000000000053`,
    value: { ...NOTHING, attributes: { mpUnreach: { family: "ipv6", prefixes: [TWIN] } } },
  },
  {
    intent: "End-of-RIB for IPv4 unicast (RFC 4724)",
    bytes: `${HEAD} 0017 02 0000 0000`,
    value: { ...NOTHING, attributes: {} },
  },
  {
    intent: "End-of-RIB for IPv6 unicast",
    bytes: `${HEAD} 001d 02 0000 0006 800f03 0002 01`,
    value: { ...NOTHING, attributes: { mpUnreach: { family: "ipv6", prefixes: [] } } },
  },
];

export const NOTIFICATIONS: readonly Vector<Notification>[] = [
  {
    intent: "Cease, administrative shutdown, with the text `ok` (RFC 9003)",
    bytes: `${HEAD} 0018 03 06 02 02 6f6b`,
    value: { code: 6, subcode: 2, data: Uint8Array.of(2, 0x6f, 0x6b) },
  },
  {
    intent: "hold timer expired",
    bytes: `${HEAD} 0015 03 04 00`,
    value: { code: 4, subcode: 0, data: new Uint8Array() },
  },
];

export const ROUTE_REFRESHES: readonly Vector<RouteRefresh>[] = [
  {
    intent: "send IPv4 unicast again (RFC 2918)",
    bytes: `${HEAD} 0017 05 0001 00 01`,
    value: { family: "ipv4", part: "request" },
  },
  {
    intent: "all of IPv6 unicast follows (RFC 7313, BoRR)",
    bytes: `${HEAD} 0017 05 0002 01 01`,
    value: { family: "ipv6", part: "begin" },
  },
  {
    intent: "that was all of IPv4 unicast (RFC 7313, EoRR)",
    bytes: `${HEAD} 0017 05 0001 02 01`,
    value: { family: "ipv4", part: "end" },
  },
];
