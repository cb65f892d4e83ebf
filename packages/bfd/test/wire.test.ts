import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { REFUSED_REASONS } from "../src/reasons.ts";
import { BFD_STATES, decodeControlPacket, diagnosticName, encodeControlPacket } from "../src/wire/index.ts";
import { hex } from "./hex.ts";
import { FOREIGN, OWN, REFUSED } from "./vectors/control-packets.ts";

describe("vectors", () => {
  test("all of them are here", () => {
    expect(OWN.length + FOREIGN.length + REFUSED.length).toBe(17);
  });

  test.each(OWN)("ours: $intent", ({ bytes, value }) => {
    expect(decodeControlPacket(hex(bytes))).toEqual({ ok: true, value });
    expect(encodeControlPacket(value)).toEqual(hex(bytes));
  });

  test.each(FOREIGN)("another's: $intent", ({ bytes, value }) => {
    expect(decodeControlPacket(hex(bytes))).toEqual({ ok: true, value });
  });

  test.each(REFUSED)("refused: $intent", ({ bytes, reason }) => {
    expect(decodeControlPacket(hex(bytes))).toEqual({ ok: false, reason });
  });
});

const u32 = fc.nat({ max: 0xffffffff });
const own = fc.record({
  diagnostic: fc.nat({ max: 31 }),
  state: fc.constantFrom(...BFD_STATES),
  poll: fc.boolean(),
  final: fc.boolean(),
  detectMultiplier: fc.integer({ min: 1, max: 255 }),
  myDiscriminator: fc.integer({ min: 1, max: 0xffffffff }),
  yourDiscriminator: u32,
  desiredMinTx: u32,
  requiredMinRx: u32,
});

describe("any bytes", () => {
  test("what we can say, we understand, wherever in a buffer it stands", () => {
    fc.assert(
      fc.property(own, fc.nat({ max: 9 }), (packet, offset) => {
        const bytes = encodeControlPacket(packet);
        const buffer = new Uint8Array(offset + bytes.length + 3).fill(0xff);
        buffer.set(bytes, offset);
        const read = decodeControlPacket(buffer.subarray(offset, offset + bytes.length));
        const unused = { controlPlaneIndependent: false, authenticationPresent: false, demand: false };
        expect(read).toEqual({ ok: true, value: { ...packet, ...unused, requiredMinEchoRx: 0 } });
      }),
    );
  });

  test("are a packet or one of the reasons, never an exception", () => {
    const seen = new Set<string>();
    const odd = fc
      .tuple(own, fc.constantFrom(0, 3), fc.constantFrom(0, 7))
      .map(([packet, detectMultiplier, myDiscriminator]) => ({ ...packet, detectMultiplier, myDiscriminator }));
    const nearly = fc
      .tuple(fc.oneof(own, odd), fc.nat({ max: 23 }), fc.nat({ max: 255 }), fc.integer({ min: 18, max: 30 }))
      .map(([packet, at, octet, length]) => {
        const bytes = new Uint8Array(30);
        bytes.set(encodeControlPacket(packet));
        bytes[at] = octet;
        return bytes.subarray(0, length);
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), nearly), (bytes) => {
        const read = decodeControlPacket(bytes);
        seen.add(read.ok ? "read" : read.reason);
        const proper = read.ok
          ? read.value.detectMultiplier * read.value.myDiscriminator > 0 && bytes.length >= 24
          : REFUSED_REASONS.includes(read.reason);
        expect(proper).toBe(true);
      }),
      { numRuns: 5_000 },
    );
    expect([...seen].toSorted()).toEqual([
      "bad-length",
      "multipoint",
      "read",
      "truncated",
      "unsupported-version",
      "zero-multiplier",
      "zero-my-discriminator",
    ]);
  });
});

test("diagnostics have the names of the RFC, and unassigned ones a number", () => {
  expect([0, 1, 3, 7, 31].map(diagnosticName)).toEqual([
    "no diagnostic",
    "control detection time expired",
    "neighbor signaled session down",
    "administratively down",
    "diagnostic 31",
  ]);
});
