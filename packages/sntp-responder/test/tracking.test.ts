import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeTrackingReply, encodeTrackingRequest, readFloat } from "../src/wire/tracking.ts";
import { fromHex, hex } from "./batch.ts";

const SEQUENCE = 0x0102_0304;

/** A reply of a daemon at stratum 3, leap 0, 6 ms root delay, 1/1024 s root dispersion, put together by hand from the layout. */
const REPLY = fromHex(`
  06020000 00210005 00000000 00000000 01020304 00000000 00000000
  c0000201 c0000201 00000000 00000000 00000000 00010000
  0003 0000
  00000000 6b49d200 1dcd6500
  ea000000 00000000 00000000 00000000 00000000 00000000
  f4c49ba6 f0800000 00000000
`);

describe("tracking request", () => {
  test("is as long as its reply, and zero but for what is asked", () => {
    const bytes = encodeTrackingRequest(SEQUENCE);
    expect(bytes.length).toBe(104);
    expect(hex(bytes.subarray(0, 12))).toBe("060100000021000001020304");
    expect(bytes.subarray(12).every((octet) => octet === 0)).toBe(true);
  });
});

describe("the command protocol's numbers", () => {
  test.each([
    ["00000000", 0],
    ["02800000", 0.5],
    ["04800000", 1],
    ["05800000", -1],
    ["08900000", 4.5],
    ["01ffffff", -(2 ** -25)],
    ["f0800000", 2 ** -10],
  ])("%s is %d", (bytes, value) => {
    expect(readFloat(fromHex(bytes), 0)).toBe(value);
  });
});

describe("tracking reply", () => {
  test("is read", () => {
    const decoded = decodeTrackingReply(REPLY, SEQUENCE);
    expect(decoded).toMatchObject({ ok: true, end: 104 });
    if (!decoded.ok) return;
    expect(decoded.value).toMatchObject({ referenceId: 0xc000_0201, stratum: 3, leap: 0 });
    expect(decoded.value.referenceMicros).toBe(0x6b49_d200 * 1e6 + 500_000);
    expect(decoded.value.rootDelay).toBeCloseTo(0.006, 6);
    expect(decoded.value.rootDispersion).toBe(1 / 1_024);
  });

  test("an error bound below zero is none, and is read as zero", () => {
    const decoded = decodeTrackingReply(
      new Uint8Array([...REPLY.subarray(0, 96), ...fromHex("f100000000000000")]),
      SEQUENCE,
    );
    expect(decoded.ok && decoded.value.rootDispersion).toBe(0);
  });

  test("a reference time of 32 bits is read as one of 64", () => {
    const decoded = decodeTrackingReply(new Uint8Array(REPLY).fill(0xff, 57, 60).fill(0x7f, 56, 57), SEQUENCE);
    expect(decoded.ok && decoded.value.referenceMicros).toBe(0x6b49_d200 * 1e6 + 500_000);
  });

  test("an unknown leap state counts as unsynchronised", () => {
    const decoded = decodeTrackingReply(REPLY.with(55, 7), SEQUENCE);
    expect(decoded.ok && decoded.value.leap).toBe(3);
  });

  test.each([
    ["version", 0, REPLY.with(0, 5)],
    ["type", 1, REPLY.with(1, 1)],
    ["command", 4, REPLY.with(5, 0x20)],
    ["command", 6, REPLY.with(7, 6)],
    ["status", 8, REPLY.with(9, 2)],
    ["sequence", 16, REPLY.with(19, 5)],
    ["short", 103, REPLY.subarray(0, 103)],
    ["short", 0, REPLY.subarray(0, 0)],
  ])("is refused for its %s (octet %i)", (kind, at, bytes) => {
    expect(decodeTrackingReply(bytes, SEQUENCE)).toEqual({ ok: false, error: { kind, at } });
  });

  test("a short refusal is seen as one, though it carries no data", () => {
    const refusal = REPLY.with(9, 2).subarray(0, 28);
    expect(decodeTrackingReply(refusal, SEQUENCE)).toEqual({ ok: false, error: { kind: "status", at: 8 } });
  });

  test("hostile bytes give a value in range or a reason, and never throw", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .uint8Array({ minLength: 76, maxLength: 76 })
        .map((data) => new Uint8Array([...REPLY.subarray(0, 28), ...data])),
    );
    fc.assert(
      fc.property(bytes, (hostile) => {
        const decoded = decodeTrackingReply(hostile, SEQUENCE);
        if (!decoded.ok) return;
        expect([0, 1, 2, 3]).toContain(decoded.value.leap);
        for (const value of Object.values(decoded.value)) expect(Number.isFinite(value)).toBe(true);
      }),
    );
  });
});
