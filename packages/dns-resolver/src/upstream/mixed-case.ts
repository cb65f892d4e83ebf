import { randomFillSync } from "node:crypto";
import { copied } from "../wire/blocks.ts";
import { u8 } from "../wire/octets.ts";

/** Bits drawn at once: one call of the generator for some hundred questions. */
const POOL_BYTES = 4_096;
const BITS = 8;

/**
 * Writes names with the case of every letter drawn by chance (draft-vixie-dnsext-dns0x20): a forger who does not see the
 * question must guess it, besides port and id.
 */
export class MixedCase {
  readonly #pool = new Uint8Array(POOL_BYTES);
  #next = POOL_BYTES * BITS;

  /** A copy of `question`, lower case name first, type and class behind it, with its letters mixed. */
  mix(question: Uint8Array): Uint8Array {
    const mixed = copied(question);
    for (let at = 0; u8(mixed, at) !== 0; at += u8(mixed, at) + 1) {
      const end = at + u8(mixed, at);
      for (let i = at + 1; i <= end; i += 1) {
        const byte = u8(mixed, i);
        if (byte >= 0x61 && byte <= 0x7a && this.#bit()) mixed[i] = byte & ~0x20;
      }
    }
    return mixed;
  }

  #bit(): boolean {
    if (this.#next === POOL_BYTES * BITS) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    const bit = (u8(this.#pool, this.#next >>> 3) >>> (this.#next & 7)) & 1;
    this.#next += 1;
    return bit === 1;
  }
}
