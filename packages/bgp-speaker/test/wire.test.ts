import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { AdjRibOut } from "../src/adj-rib-out.ts";
import { MAX_COMMUNITIES, MAX_PREPEND } from "../src/index.ts";
import { asSequence, flatten, mergeAs4Path } from "../src/wire/as-path.ts";
import {
  canonicalPrefix,
  decodeAttributes,
  decodeCapabilities,
  decodeNotification,
  decodeOpen,
  decodeRouteRefresh,
  decodeShutdownText,
  decodeUpdate,
  encodeAnnouncements,
  encodeNotification,
  encodeOpen,
  encodeRouteRefresh,
  encodeShutdownText,
  encodeUpdate,
  encodeWithdrawals,
  endOfRib,
  formatAddress,
  formatPrefix,
  type Framed,
  Framer,
  MAX_MESSAGE_BYTES,
  NO_CAPABILITIES,
  notificationName,
  openAsn,
  parseAddress,
  parsePrefix,
  type Prefix,
} from "../src/wire/index.ts";
import { FOREIGN_OPENS, NOTIFICATIONS, OPENS, ROUTE_REFRESHES, UPDATES } from "./vectors/messages.ts";
import { hex, INTERNAL, MODERN, toHex, TWO_OCTET } from "./wire-peer.ts";

function only(bytes: Uint8Array): Framed {
  const framed = [...new Framer().push(bytes)];
  const first = framed[0];
  if (framed.length !== 1 || first?.ok !== true) throw new Error(`not one message: ${toHex(bytes)}`);
  return first.value;
}

/** Bytes to value and back: the same bytes. */
function roundTrip<T>(
  bytes: Uint8Array,
  decode: (body: Uint8Array) => { ok: boolean; value?: T },
  encode: (value: T) => Uint8Array,
): T {
  const read = decode(only(bytes).body);
  if (read.value === undefined) throw new Error(`unreadable: ${toHex(bytes)}`);
  expect(toHex(encode(read.value))).toBe(toHex(bytes));
  return read.value;
}

function openAgain(
  open: { holdTime: number; routerId: string; capabilities: { families: readonly ("ipv4" | "ipv6")[] } },
  asn: number,
): Uint8Array {
  return encodeOpen({ asn, holdTime: open.holdTime, routerId: open.routerId, families: open.capabilities.families });
}

describe("vectors", () => {
  test("all of them are here", () => {
    expect(OPENS.length + FOREIGN_OPENS.length + UPDATES.length + NOTIFICATIONS.length + ROUTE_REFRESHES.length).toBe(
      20,
    );
  });

  test.each(OPENS)("OPEN: $intent", ({ bytes, value }) => {
    expect(roundTrip(hex(bytes), decodeOpen, (open) => openAgain(open, openAsn(open)))).toEqual(value);
  });

  test.each(FOREIGN_OPENS)("OPEN of another: $intent", ({ bytes, value }) => {
    expect(decodeOpen(only(hex(bytes)).body)).toEqual({ ok: true, value });
  });

  test.each(UPDATES)("UPDATE: $intent", ({ bytes, value }) => {
    expect(
      roundTrip(
        hex(bytes),
        (body) => decodeUpdate(body, INTERNAL),
        (update) => encodeUpdate(update, true),
      ),
    ).toEqual(value);
  });

  test.each(NOTIFICATIONS)("NOTIFICATION: $intent", ({ bytes, value }) => {
    expect(roundTrip(hex(bytes), decodeNotification, encodeNotification)).toEqual(value);
  });

  test.each(ROUTE_REFRESHES)("ROUTE-REFRESH: $intent", ({ bytes, value }) => {
    expect(
      roundTrip(hex(bytes), decodeRouteRefresh, (refresh) =>
        encodeRouteRefresh(refresh.family ?? "ipv6", refresh.part),
      ),
    ).toEqual(value);
  });
});

describe("prefixes", () => {
  test.each([
    "10.10.10.53/32",
    "0.0.0.0/0",
    "10.0.0.0/9",
    "fd00:10:10::53/128",
    "::/0",
    "::1/128",
    "1:0:0:2::/64",
    "1::2:0:0:3:4/128",
    "1:0:2:3:4:5:6:7/128",
    "1:2:3:4:5:6::/96",
  ])("%s reads back as itself", (text) => {
    const prefix = parsePrefix(text);
    expect(prefix === undefined ? undefined : formatPrefix(prefix)).toBe(text);
  });

  test.each([
    "10.10.10.53",
    "10.10.10.53/33",
    "10.10.10.53/24",
    "10.10.10/24",
    "010.1.1.1/32",
    "fd00::/129",
    "fd00::1/64",
    "1::2::3/128",
    "x/8",
    "",
  ])("%s is not a prefix", (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });

  test("spellings of one IPv6 prefix are one prefix", () => {
    const spellings = ["FD00:0010:10:0:0:0:0:53", "fd00:10:10::0:53", "fd00:10:10::0.0.0.83"];
    const canonical = spellings.map((address) => canonicalPrefix({ family: "ipv6", address, length: 128 })?.address);
    expect(canonical).toEqual(["fd00:10:10::53", "fd00:10:10::53", "fd00:10:10::53"]);
  });

  test("any address survives its text", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4, 16).chain((size) => fc.uint8Array({ minLength: size, maxLength: size })),
        (bytes) => {
          expect(parseAddress(formatAddress(bytes))).toEqual(bytes);
        },
      ),
    );
  });
});

describe("AS numbers of four octets towards a speaker of two (RFC 6793)", () => {
  const path = { origin: 0, nextHop: "10.1.0.10", asPath: asSequence([4_200_000_000, 65001]) };
  const prefixes: Prefix[] = [{ family: "ipv4", address: "10.10.10.53", length: 32 }];

  test("AS_TRANS stands in AS_PATH and the truth in AS4_PATH, and both are read together", () => {
    const [bytes = new Uint8Array()] = encodeAnnouncements(path, prefixes, "ipv4", false);
    expect(toHex(bytes)).toContain("40020602025ba0fde9");
    expect(toHex(bytes)).toContain("c0110a0202fa56ea000000fde9");
    const read = decodeUpdate(only(bytes).body, TWO_OCTET);
    expect(read.ok && flatten(read.value.attributes.asPath ?? [])).toEqual([4_200_000_000, 65001]);
  });

  test("a path of small numbers needs no AS4_PATH", () => {
    const [bytes = new Uint8Array()] = encodeAnnouncements(
      { ...path, asPath: asSequence([65101]) },
      prefixes,
      "ipv4",
      false,
    );
    expect(toHex(bytes)).not.toContain("c011");
  });

  test("hops in front of the known part are kept, and an AS4_PATH that is too long is not believed", () => {
    expect(flatten(mergeAs4Path(asSequence([1, 23456, 23456]), asSequence([70_000, 80_000])))).toEqual([
      1, 70_000, 80_000,
    ]);
    expect(flatten(mergeAs4Path(asSequence([23456]), asSequence([70_000, 80_000])))).toEqual([23456]);
  });
});

describe("AS4_PATH from a speaker of two octets (RFC 6793 section 4.2.3)", () => {
  test("a set counts as one hop on either side", () => {
    const path = [...asSequence([1, 23456]), { type: "set", asns: [10, 11, 12] }] as const;
    const as4 = [...asSequence([70_000]), { type: "set", asns: [80_000] }] as const;
    expect(mergeAs4Path(path, as4)).toEqual([...asSequence([1]), ...as4]);
  });

  test("a confederation has no place in it and counts as nothing, but one in AS_PATH is kept", () => {
    const confederation = { type: "confed-sequence", asns: [64_512, 64_513] } as const;
    const path = [confederation, ...asSequence([1, 23456])];
    expect(mergeAs4Path(path, [confederation, ...asSequence([70_000])])).toEqual([
      confederation,
      ...asSequence([1]),
      ...asSequence([70_000]),
    ]);
  });

  test("an AS_PATH of confederations alone is longer than nothing", () => {
    const path = [{ type: "confed-sequence", asns: [64_512] }] as const;
    expect(mergeAs4Path(path, asSequence([70_000]))).toEqual(path);
  });
});

describe("packing", () => {
  test("2,000 prefixes with the same attributes take three full messages, each within 4096 octets", () => {
    const prefixes = Array.from({ length: 2_000 }, (_, i): Prefix => ({
      family: "ipv4",
      address: `10.1.${i >> 8}.${i & 255}`,
      length: 32,
    }));
    const messages = encodeAnnouncements(
      { origin: 0, asPath: asSequence([65101]), nextHop: "10.1.0.10" },
      prefixes,
      "ipv4",
      true,
    );
    expect(messages).toHaveLength(3);
    expect(Math.max(...messages.map((message) => message.length))).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
    const back = messages.flatMap((message) => {
      const read = decodeUpdate(only(message).body, MODERN);
      return read.ok ? read.value.announced : [];
    });
    expect(back).toEqual(prefixes);
    const gone = encodeWithdrawals(prefixes, "ipv4").flatMap((message) => {
      const read = decodeUpdate(only(message).body, MODERN);
      return read.ok ? read.value.withdrawn : [];
    });
    expect(gone).toEqual(prefixes);
  });
});

describe("the heaviest advertisement", () => {
  const words = Array.from({ length: MAX_COMMUNITIES }, (_, i) => i);
  const heavy = {
    communities: words,
    largeCommunities: words.map((word) => ({ global: 4_200_000_000, local1: word, local2: 0xffff_ffff })),
    med: 4_294_967_295,
    prepend: MAX_PREPEND,
  };

  test.each([
    ["ipv4", false],
    ["ipv4", true],
    ["ipv6", false],
    ["ipv6", true],
  ] as const)("of %s for a peer of four octets (%s) fits into messages of 4096 octets", (family, fourOctet) => {
    const prefixes = Array.from({ length: 1_024 }, (_, i): Prefix => ({
      family,
      address:
        family === "ipv4"
          ? `10.1.${i >> 8}.${i & 255}`
          : formatAddress(hex(`fd${"10".repeat(13)}${(i + 1).toString(16).padStart(4, "0")}`)),
      length: family === "ipv4" ? 32 : 128,
    }));
    const outlook = {
      localAsn: 4_200_000_000,
      internal: false,
      localAddress: family === "ipv4" ? "10.1.0.10" : "fd00::a",
    };
    const out = new AdjRibOut();
    out.want(prefixes.map((prefix) => ({ prefix, ...heavy })));
    const session = { ...outlook, families: [family], fourOctetAs: fourOctet };
    const { messages } = out.change(session);
    const back = messages.flatMap((message) => {
      const read = decodeUpdate(only(message).body, { fourOctet, internal: false });
      if (!read.ok || read.value.problems.length > 0) return [];
      const { announced, attributes } = read.value;
      expect(flatten(attributes.asPath ?? [])).toEqual(Array.from({ length: 33 }, () => 4_200_000_000));
      return [...announced, ...(attributes.mpReach?.prefixes ?? [])];
    });
    expect(back).toEqual(prefixes);
    expect(Math.max(...[...messages, ...out.withdrawAll().messages].map(({ length }) => length))).toBeLessThanOrEqual(
      MAX_MESSAGE_BYTES,
    );
  });
});

function heard(text: string): string {
  return decodeShutdownText({ code: 6, subcode: 2, data: encodeShutdownText(text) });
}

describe("shutdown texts (RFC 9003)", () => {
  test("are cut at 255 octets, never inside a character", () => {
    expect(heard("é".repeat(200))).toBe("é".repeat(127));
    expect(encodeShutdownText("x".repeat(300))).toHaveLength(256);
  });

  test("lose control characters and direction overrides on the way to a screen", () => {
    expect(heard("a\u{1b}[2Jb\u{202e}c\n")).toBe("a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
  });

  test("belong to administrative shutdown and reset only", () => {
    expect(decodeShutdownText({ code: 6, subcode: 5, data: encodeShutdownText("hello") })).toBe("");
  });
});

test("notifications have their registered names, and numbers where there is none", () => {
  const names = [
    [6, 7],
    [5, 1],
    [4, 0],
    [8, 0],
    [2, 11],
    [6, 99],
    [99, 1],
  ].map(([code = 0, subcode = 0]) => notificationName(code, subcode));
  expect(names).toEqual([
    "Cease/Connection Collision Resolution",
    "Finite State Machine Error/Unexpected Message in OpenSent",
    "Hold Timer Expired",
    "Send Hold Timer Expired",
    "OPEN Message Error/Role Mismatch",
    "Cease/Subcode 99",
    "Code 99/Subcode 1",
  ]);
});

describe("framing", () => {
  test("any cut of the stream gives the same messages", () => {
    const messages = [...OPENS, ...UPDATES, ...NOTIFICATIONS, ...ROUTE_REFRESHES].map((vector) => hex(vector.bytes));
    const stream = Uint8Array.from(messages.flatMap((message) => [...message]));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (cuts) => {
        const framer = new Framer();
        let count = 0;
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length] ?? 1;
          for (const framed of framer.push(stream.subarray(at, at + size))) if (framed.ok) count += 1;
          at += size;
        }
        expect(count).toBe(messages.length);
      }),
    );
  });

  test("nothing is read after an error", () => {
    const framer = new Framer();
    const keepalive = hex("ffffffffffffffffffffffffffffffff 0013 04");
    expect([...framer.push(Uint8Array.from([0, ...keepalive]))].map((framed) => framed.ok)).toEqual([false]);
    expect([...framer.push(keepalive)]).toEqual([]);
  });
});

describe("bytes from strangers", () => {
  const DECODERS: readonly ((bytes: Uint8Array) => unknown)[] = [
    decodeOpen,
    (bytes) => decodeUpdate(bytes, MODERN),
    (bytes) => decodeUpdate(bytes, TWO_OCTET),
    (bytes) => decodeAttributes(bytes, MODERN),
    (bytes) => decodeCapabilities(bytes, NO_CAPABILITIES),
    decodeNotification,
    (bytes) => decodeShutdownText({ code: 6, subcode: 2, data: bytes }),
    decodeRouteRefresh,
    (bytes) => [...new Framer().push(bytes)],
  ];
  const seeds = [...OPENS, ...FOREIGN_OPENS, ...UPDATES, ...NOTIFICATIONS, ...ROUTE_REFRESHES].map((vector) =>
    hex(vector.bytes),
  );

  /** How many decoders came back with an answer. */
  function readAll(bytes: Uint8Array): number {
    const body = bytes.subarray(19);
    return DECODERS.flatMap((decode) => [decode(bytes), decode(body)]).length;
  }

  test("random bytes never throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4_096 }), (bytes) => {
        expect(readAll(bytes)).toBe(DECODERS.length * 2);
      }),
      { numRuns: 300 },
    );
  });

  test("every truncation of every vector never throws", () => {
    for (const seed of seeds)
      for (let length = 0; length <= seed.length; length++) {
        expect(readAll(seed.subarray(0, length))).toBe(DECODERS.length * 2);
      }
    expect(seeds).toHaveLength(20);
  });

  test("mutated messages never throw", () => {
    const mutation = fc.record({ at: fc.nat({ max: 120 }), byte: fc.nat({ max: 255 }) });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 6 }), (seed, mutations) => {
        const bytes = seed.slice();
        for (const { at, byte } of mutations) bytes[at % bytes.length] = byte;
        expect(readAll(bytes)).toBe(DECODERS.length * 2);
      }),
      { numRuns: 2_000 },
    );
  });

  test("what an UPDATE's body decodes to, encodes to something that decodes to the same", () => {
    const bodies = fc.constantFrom(...UPDATES.map((vector) => only(hex(vector.bytes)).body));
    const mutation = fc.record({ at: fc.nat({ max: 80 }), byte: fc.nat({ max: 255 }) });
    fc.assert(
      fc.property(bodies, mutation, (seed, { at, byte }) => {
        const bytes = seed.slice();
        bytes[at % bytes.length] = byte;
        const read = decodeUpdate(bytes, INTERNAL);
        const { mpReach, mpUnreach } = read.ok ? read.value.attributes : {};
        fc.pre(read.ok && read.value.problems.length === 0);
        fc.pre(
          (mpReach === undefined || mpReach.family !== undefined) &&
            (mpUnreach === undefined || mpUnreach.family !== undefined),
        );
        if (!read.ok) return;
        const again = decodeUpdate(only(encodeUpdate(read.value, true)).body, INTERNAL);
        expect(again).toEqual(read);
      }),
      { numRuns: 1_000 },
    );
  });

  test("the longest UPDATE of one-octet prefixes is read in bounded time", () => {
    const body = new Uint8Array(4_077);
    const read = decodeUpdate(body.fill(0, 4), MODERN);
    expect(read.ok && read.value.announced.length).toBe(4_073);
    expect(read.ok && endOfRib(read.value)).toBeUndefined();
  });
});
