import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { askProof, isProof, newNonce, opened, SEAL_BYTES, sealed } from "../src/sibling/proof.ts";

const SECRET = randomBytes(32);
const OTHER = randomBytes(32);
const NONCE = newNonce();
const ANSWER = Buffer.from("what clients come back for");

describe("a sibling's proof", () => {
  test("is known by who has the secret, for its own nonce alone", () => {
    const proof = askProof(SECRET, NONCE);
    expect(isProof(SECRET, NONCE, proof)).toBe(true);
    expect([isProof(OTHER, NONCE, proof), isProof(SECRET, newNonce(), proof)]).toEqual([false, false]);
  });

  test.each<[string, unknown, unknown]>([
    ["no nonce", undefined, askProof(SECRET, "undefined")],
    ["a short nonce", "00", askProof(SECRET, "00")],
    ["a nonce in capitals", "A".repeat(32), askProof(SECRET, "A".repeat(32))],
    ["two nonces", [NONCE, NONCE], askProof(SECRET, NONCE)],
    ["no proof", NONCE, undefined],
    ["an empty proof", NONCE, ""],
    ["part of a proof", NONCE, askProof(SECRET, NONCE).slice(0, 32)],
    ["more than a proof", NONCE, `${askProof(SECRET, NONCE)}00`],
    ["two proofs", NONCE, [askProof(SECRET, NONCE)]],
  ])("is not: %s", (_, nonce, proof) => {
    expect(isProof(SECRET, nonce, proof)).toBe(false);
  });
});

describe("a sealed answer", () => {
  test("opens with the same secret for the same nonce, and says nothing to others", () => {
    const bytes = sealed(SECRET, NONCE, ANSWER);
    expect(opened(SECRET, NONCE, bytes)).toEqual(ANSWER);
    expect([opened(OTHER, NONCE, bytes), opened(SECRET, newNonce(), bytes)]).toEqual([undefined, undefined]);
    expect(bytes.length).toBe(ANSWER.length + SEAL_BYTES);
    expect(bytes.includes(ANSWER.subarray(0, 6))).toBe(false);
  });

  test("of a nonce that comes twice is another one: two answers by one key must not be told apart by their difference", () => {
    const [one, two] = [sealed(SECRET, NONCE, ANSWER), sealed(SECRET, NONCE, ANSWER)];
    expect(one.equals(two)).toBe(false);
    expect(opened(SECRET, NONCE, two)).toEqual(ANSWER);
  });

  test("does not open when anything is changed, missing or added", () => {
    const good = sealed(SECRET, NONCE, ANSWER);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Buffer.from(good);
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        expect(opened(SECRET, NONCE, bytes)).toBeUndefined();
      }),
    );
    for (let length = 0; length < good.length; length += 1)
      expect(opened(SECRET, NONCE, good.subarray(0, length))).toBeUndefined();
    expect(opened(SECRET, NONCE, Buffer.concat([good, Buffer.of(0)]))).toBeUndefined();
  });

  test("may be empty", () => {
    expect(opened(SECRET, NONCE, sealed(SECRET, NONCE, new Uint8Array()))).toEqual(Buffer.alloc(0));
  });
});
