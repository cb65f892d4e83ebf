import { TRUNCATED } from "@stitch/linux-io";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ClockState, Synchronised } from "../src/host-clock/clock-state.ts";
import { Responder } from "../src/responder.ts";
import { decodeHeader, referenceIdOf, type Header } from "../src/wire/index.ts";
import { ask, CLIENT, fromHex, hex, RECEIVED, SENT, type AskOptions } from "./batch.ts";

const OWN = [
  { address: "127.10.10.123", port: 5_123 },
  { address: "fd00:10:10::123", port: 123 },
];

const GOOD: Synchronised = {
  kind: "synchronised",
  leap: 0,
  stratum: 2,
  precision: -20,
  referenceId: 0xc000_0201,
  reference: { seconds: 0xec9a_1b00, fraction: 0x1234_5678 },
  rootDelay: 0.004,
  rootDispersion: 0.002,
};

function responder(state: ClockState = GOOD, seed = 42): Responder {
  const made = new Responder({ own: OWN, receivePrecision: -20, transmitPrecision: -20, seed });
  made.serve(state);
  return made;
}

const TRANSMIT = "8a1b2c3d4e5f6071";

/** A 48-octet request of this version and mode, poll 6, with a random transmit timestamp. */
function request(version = 4, mode = 3): Uint8Array {
  const bytes = new Uint8Array(48);
  bytes[0] = (version << 3) | mode;
  bytes[2] = 6;
  bytes.set(fromHex(TRANSMIT), 40);
  return bytes;
}

function served(made: Responder, bytes: Uint8Array, options?: AskOptions): Header {
  const { reply } = ask(made, bytes, options);
  const decoded = decodeHeader(reply ?? new Uint8Array(0));
  if (!decoded.ok) throw new Error("no reply");
  return decoded.value;
}

const micros = (fraction: number): number => Math.floor((fraction * 1e6) / 2 ** 32);

describe("a reply to a client", () => {
  test("says what is known of the clock, in the fields of RFC 4330 section 6", () => {
    const reply = served(responder(), request());
    expect(reply).toMatchObject({
      leap: 0,
      version: 4,
      mode: 4,
      stratum: 2,
      poll: 6,
      precision: -20,
      rootDelay: Math.ceil(0.004 * 65_536),
      rootDispersion: Math.ceil(0.002 * 65_536),
      referenceId: 0xc000_0201,
      reference: { seconds: 0xec9a_1b00, fraction: 0x1234_5678 },
    });
  });

  test.each([1, 2, 3, 4])("speaks the client's version, %i", (version) => {
    expect(served(responder(), request(version)).version).toBe(version);
  });

  test("gives the client's transmit timestamp back bit by bit, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (transmit) => {
        const bytes = request();
        bytes.set(transmit, 40);
        const { reply } = ask(responder(), bytes);
        expect(hex(reply?.subarray(24, 32) ?? new Uint8Array(0))).toBe(hex(transmit));
      }),
    );
  });

  test("copies the poll interval, negative ones too", () => {
    expect(served(responder(), request().with(2, 0xfa)).poll).toBe(-6);
  });

  test("ignores what else the client says of itself", () => {
    const talkative = request();
    talkative.fill(0xff, 3, 40);
    talkative[0] = (3 << 6) | (talkative[0] ?? 0);
    talkative[1] = 15;
    expect(served(responder(), talkative)).toEqual(served(responder(), request()));
  });

  test.each([1, 2] as const)("passes an announced leap second on: indicator %i", (leap) => {
    expect(served(responder({ ...GOOD, leap }), request()).leap).toBe(leap);
  });

  test("carries receive and transmit time, random only below a microsecond", () => {
    const reply = served(responder(), request());
    expect(reply.receive.seconds).toBe(RECEIVED[0] + 2_208_988_800);
    expect(micros(reply.receive.fraction)).toBe(250_000);
    expect(reply.transmit.seconds).toBe(SENT[0] + 2_208_988_800);
    expect(micros(reply.transmit.fraction)).toBe(250_040);
  });

  test("no two replies of the same microsecond carry the same transmit time", () => {
    const made = responder();
    const seen = new Set(Array.from({ length: 64 }, () => served(made, request()).transmit.fraction));
    expect(seen.size).toBeGreaterThan(60);
  });

  test("keeps the nanoseconds of a kernel stamp", () => {
    const made = new Responder({ own: OWN, receivePrecision: -30, transmitPrecision: -20, seed: 1 });
    made.serve(GOOD);
    const { receive } = served(made, request(), { received: [1_800_000_000, 123_456_789] });
    expect(Math.abs((receive.fraction * 1e9) / 2 ** 32 - 123_456_789)).toBeLessThan(2);
  });

  test("the random bits do not carry the last microsecond of a second over into the beginning of it", () => {
    const made = responder();
    for (let i = 0; i < 64; i += 1) {
      const { receive } = served(made, request(), { received: [1_800_000_000, 999_999_999], sent: [1_800_000_001, 0] });
      expect(receive.seconds).toBe(1_800_000_000 + 2_208_988_800);
      expect(receive.fraction).toBeGreaterThan(0xffff_0000);
    }
  });

  test("never leaves before it came, though the clock is stepped back in between", () => {
    const reply = served(responder(), request(), { received: [1_800_000_100, 5], sent: [1_800_000_000, 7] });
    expect(reply.transmit).toEqual(reply.receive);
  });

  test("is right across the end of era 0", () => {
    const rollOver = Date.UTC(2036, 1, 7, 6, 28, 16) / 1_000;
    const reply = served(responder(), request(), { received: [rollOver - 1, 999_999_000], sent: [rollOver, 1_000] });
    expect(reply.receive.seconds).toBe(0xffff_ffff);
    expect(reply.transmit.seconds).toBe(0);
  });

  test("is written at its own place in the batch", () => {
    expect(served(responder(), request(), { slot: 5 })).toEqual(served(responder(), request()));
  });

  test("to a request with extension fields is a plain one", () => {
    const long = new Uint8Array(48 + 28);
    long.set(request());
    long.set(fromHex("0104001c"), 48);
    const { reason, reply } = ask(responder(), long);
    expect([reason, reply?.length]).toEqual(["served", 48]);
  });
});

describe("an unsynchronised clock", () => {
  test.each([
    ["INIT", 0x494e_4954],
    ["STEP", 0x5354_4550],
    ["", 0],
  ] as const)("is admitted: leap 3, stratum 0, distance 1 s, reference id %j", (kiss, referenceId) => {
    const made = responder({ kind: "unsynchronised", kiss, detail: "" });
    expect(ask(made, request()).reason).toBe("served-unsynchronised");
    expect(served(made, request())).toMatchObject({
      leap: 3,
      stratum: 0,
      referenceId,
      rootDelay: 65_536,
      rootDispersion: 65_536,
      reference: { seconds: 0, fraction: 0 },
    });
    expect(hex(ask(made, request()).reply?.subarray(24, 32) ?? new Uint8Array(0))).toBe(TRANSMIT);
  });

  test("is what is told before anything is known", () => {
    const fresh = new Responder({ own: OWN, receivePrecision: -20, transmitPrecision: -20, seed: 1 });
    expect(served(fresh, request())).toMatchObject({ leap: 3, stratum: 0, referenceId: referenceIdOf("INIT") });
  });
});

const silent = (bytes: Uint8Array, options: AskOptions = {}): string => {
  const { reason, reply } = ask(responder(), bytes, options);
  expect(reply).toBeUndefined();
  return reason;
};

describe("no reply", () => {
  test.each([0, 1, 47])("to %i octets", (length) => {
    expect(silent(request().subarray(0, length))).toBe("short");
  });

  test.each([0, 5, 6, 7])("to version %i", (version) => {
    expect(silent(request(version))).toBe("version-unsupported");
  });

  test.each([0, 2, 4, 5, 6, 7])("to mode %i", (mode) => {
    expect(silent(request(4, mode))).toBe("not-client-mode");
  });

  test("to mode 1, which is counted by itself: somebody has to change a client", () => {
    expect(silent(request(3, 1))).toBe("symmetric-active");
  });

  test("to our own reply: two responders cannot be made to play ping-pong", () => {
    expect(silent(ask(responder(), request()).reply ?? new Uint8Array(0))).toBe("not-client-mode");
  });

  test("to source port 0", () => {
    expect(silent(request(), { from: { ...CLIENT, port: 0 } })).toBe("source-port-zero");
  });

  test.each(OWN)("to what claims to come from our own socket $address", (from) => {
    expect(silent(request(), { from })).toBe("own-socket");
  });

  test("though a client on this host may use the address with another port", () => {
    expect(ask(responder(), request(), { from: { address: "127.10.10.123", port: 40_000 } }).reason).toBe("served");
  });

  test("to a request with a MAC", () => {
    expect(silent(new Uint8Array([...request(), 0, 0, 0, 1, ...new Uint8Array(16)]))).toBe("mac-unsupported");
  });

  test("to a malformed extension field", () => {
    expect(silent(new Uint8Array([...request(), 1, 4, 0, 99, ...new Uint8Array(40)]))).toBe("extension-malformed");
  });

  test("to a datagram that was cut", () => {
    expect(silent(request(), { flags: TRUNCATED })).toBe("oversized");
  });
});

test("whatever arrives: a reply only to mode 3 of versions 1 to 4, of 48 octets, never longer than what asked for it", () => {
  const made = responder();
  const tail = fc.oneof(fc.uint8Array({ maxLength: 1_500 }), fc.uint8Array({ minLength: 44, maxLength: 80 }));
  fc.assert(
    fc.property(fc.nat(255), tail, fc.nat(65_535), (flags, rest, port) => {
      const bytes = new Uint8Array([flags, ...rest]);
      const { reason, reply } = ask(made, bytes, { from: { address: "192.0.2.9", port } });
      const version = (flags >> 3) & 7;
      const isClient = (flags & 7) === 3 && version >= 1 && version <= 4 && bytes.length >= 48 && port !== 0;
      expect(reply === undefined || isClient).toBe(true);
      expect(reply?.length ?? 48).toBe(48);
      expect((reply?.length ?? 0) <= bytes.length).toBe(true);
      expect(reason === "served").toBe(reply !== undefined);
    }),
    { numRuns: 2_000 },
  );
});
