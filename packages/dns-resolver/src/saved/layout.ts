import { createHash } from "node:crypto";

/**
 * A saved cache, all numbers big-endian:
 *
 *   magic(8)  version(4)  saved at, µs since 1970(8)  routes(2)  { fingerprint(16) } each
 *   then answers: route(2)  bits(1)  age(4)  left(4, signed)  length(2)  message
 *   last SHA-256 of all before it(32)
 *
 * `age` and `left` are ticks at the time of saving; less than nothing is left of an answer that is only good as a stale
 * one. The message is an image's: without OPT, its TTLs as they were when it was stored.
 */
export const MAGIC = Buffer.from("stitchdc", "latin1");
export const VERSION = 1;
export const FINGERPRINT_BYTES = 16;
export const CHECKSUM_BYTES = 32;
export const HEAD_BYTES = 22;
export const ENTRY_BYTES = 13;
export const AT_ENTRY = { route: 0, bits: 2, age: 3, left: 7, length: 11 } as const;

/** Bits of an answer: the low two are those of its tag. */
export const DO_CD = 3;
export const HOT = 4;

export function checksum(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** Of everything that a route's answers depend on; what it is made from is for its maker to say. */
export function fingerprint(text: string): Buffer {
  return createHash("sha256").update(text).digest().subarray(0, FINGERPRINT_BYTES);
}
