import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeServerReply, encodeClientRequest } from "../src/wire/client.ts";
import { decodeHeader, encodeHeader, referenceIdOf, type Header } from "../src/wire/packet.ts";
import { classifyTail, TAIL_EXTENSIONS, TAIL_MAC, TAIL_MALFORMED, TAIL_NONE } from "../src/wire/tail.ts";
import { fromHex, hex } from "./batch.ts";

interface Vector {
  readonly intent: string;
  readonly bytes: string;
  readonly value: Header;
}

const zero = { seconds: 0, fraction: 0 };

const VECTORS: readonly Vector[] = [
  {
    intent: "a client that sets nothing but a random transmit timestamp",
    bytes: `23000000 00000000 00000000 00000000 0000000000000000 0000000000000000 0000000000000000 8a1b2c3d4e5f6071`,
    value: {
      leap: 0,
      version: 4,
      mode: 3,
      stratum: 0,
      poll: 0,
      precision: 0,
      rootDelay: 0,
      rootDispersion: 0,
      referenceId: 0,
      reference: zero,
      origin: zero,
      receive: zero,
      transmit: { seconds: 0x8a1b2c3d, fraction: 0x4e5f6071 },
    },
  },
  {
    intent: "a stratum 2 server with a leap second announced, every field in use",
    bytes: `64020aec 00000b2a 00000431 c0000217 ec9a1b00 80000000 8a1b2c3d 4e5f6071 ec9a1b2c 40000000 ec9a1b2c 40001000`,
    value: {
      leap: 1,
      version: 4,
      mode: 4,
      stratum: 2,
      poll: 10,
      precision: -20,
      rootDelay: 0xb2a,
      rootDispersion: 0x431,
      referenceId: 0xc000_0217,
      reference: { seconds: 0xec9a_1b00, fraction: 0x8000_0000 },
      origin: { seconds: 0x8a1b_2c3d, fraction: 0x4e5f_6071 },
      receive: { seconds: 0xec9a_1b2c, fraction: 0x4000_0000 },
      transmit: { seconds: 0xec9a_1b2c, fraction: 0x4000_1000 },
    },
  },
  {
    intent: "an unsynchronised version 3 server that has never known the time",
    bytes: `dc0006ec 00010000 00010000 494e4954 0000000000000000 0000000000000001 0000000100000000 0000000100000002`,
    value: {
      leap: 3,
      version: 3,
      mode: 4,
      stratum: 0,
      poll: 6,
      precision: -20,
      rootDelay: 65_536,
      rootDispersion: 65_536,
      referenceId: referenceIdOf("INIT"),
      reference: zero,
      origin: { seconds: 0, fraction: 1 },
      receive: { seconds: 1, fraction: 0 },
      transmit: { seconds: 1, fraction: 2 },
    },
  },
];

describe("header", () => {
  test.each(VECTORS)("$intent", ({ bytes, value }) => {
    const decoded = decodeHeader(fromHex(bytes));
    expect(decoded).toEqual({ ok: true, value, end: 48 });
    const encoded = new Uint8Array(48);
    encodeHeader(value, encoded);
    expect(hex(encoded)).toBe(bytes.replaceAll(" ", ""));
  });

  test("says where bytes are missing", () => {
    expect(decodeHeader(new Uint8Array(47))).toEqual({ ok: false, error: { kind: "short", at: 47 } });
  });

  test("any 48 bytes decode, and encode to the same bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 48, maxLength: 48 }), (bytes) => {
        const decoded = decodeHeader(bytes);
        if (!decoded.ok) throw new Error(decoded.error.kind);
        const encoded = new Uint8Array(48);
        encodeHeader(decoded.value, encoded);
        expect(hex(encoded)).toBe(hex(bytes));
      }),
    );
  });
});

function withTail(tail: string): Uint8Array {
  return fromHex("23".padEnd(96, "0") + tail);
}

const classify = (tail: string, version = 4): number => classifyTail(withTail(tail), 0, 48 + tail.length / 2, version);

describe("what follows the header", () => {
  test.each([
    ["nothing", "", TAIL_NONE],
    ["an extension field of 28 octets", `0104001c${"00".repeat(24)}`, TAIL_EXTENSIONS],
    ["two fields, 16 and 28 octets", `01040010${"00".repeat(12)}0204001c${"00".repeat(24)}`, TAIL_EXTENSIONS],
    ["a crypto-NAK", "00000000", TAIL_MAC],
    ["a key id with an MD5 digest", `00000001${"ab".repeat(16)}`, TAIL_MAC],
    ["a key id with a SHA-1 digest", `00000001${"ab".repeat(20)}`, TAIL_MAC],
    ["a field and a MAC", `0104001c${"00".repeat(24)}00000001${"ab".repeat(20)}`, TAIL_MAC],
    ["a field that is longer than the datagram", `01040020${"00".repeat(24)}`, TAIL_MALFORMED],
    ["a field of length zero", `01040000${"00".repeat(24)}`, TAIL_MALFORMED],
    ["a field whose length is no multiple of four", `0104001e${"00".repeat(26)}`, TAIL_MALFORMED],
    ["stray octets", "00112233445566", TAIL_MALFORMED],
  ])("%s", (_intent, tail, expected) => {
    expect(classify(tail)).toBe(expected);
  });

  test("before version 4 it can only be a MAC", () => {
    expect(classify(`0104001c${"00".repeat(24)}`, 3)).toBe(TAIL_MAC);
  });

  test("any tail is classified, without reading outside of the datagram", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(7), (tail, version) => {
        const bytes = new Uint8Array(48 + tail.length);
        bytes.set(tail, 48);
        const padded = new Uint8Array(bytes.length + 100).fill(0xff);
        padded.set(bytes);
        const verdict = classifyTail(bytes, 0, bytes.length, version);
        expect([TAIL_NONE, TAIL_EXTENSIONS, TAIL_MAC, TAIL_MALFORMED]).toContain(verdict);
        expect(classifyTail(padded, 0, bytes.length, version)).toBe(verdict);
      }),
    );
  });
});

describe("a client's view", () => {
  const cookie = fromHex("8a1b2c3d4e5f6071");
  const reply = fromHex(VECTORS[1]?.bytes ?? "");

  test("a request tells nothing but a random number", () => {
    expect(hex(encodeClientRequest(cookie))).toBe(VECTORS[0]?.bytes.replaceAll(" ", ""));
  });

  test("the reply to it is taken", () => {
    expect(decodeServerReply(reply, cookie)).toEqual(VECTORS[1]?.value);
  });

  test.each([
    ["too short", (bytes: Uint8Array) => bytes.subarray(0, 47)],
    ["another mode", (bytes: Uint8Array) => bytes.with(0, 0x65)],
    ["another version", (bytes: Uint8Array) => bytes.with(0, 0x5c)],
    ["another origin", (bytes: Uint8Array) => bytes.with(31, 0)],
    ["no transmit time", (bytes: Uint8Array) => new Uint8Array([...bytes.subarray(0, 40), 0, 0, 0, 0, 0, 0, 0, 0])],
  ])("an answer with %s is not", (_what, spoil) => {
    expect(decodeServerReply(spoil(reply), cookie)).toBeUndefined();
  });
});
