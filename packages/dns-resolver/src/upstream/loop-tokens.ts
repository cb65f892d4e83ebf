import { randomBytes } from "node:crypto";
import { LONGEST_NAME } from "../wire/name.ts";
import { sameBytes, u8 } from "../wire/octets.ts";
import type { Query } from "../wire/query.ts";
import { SipHash } from "../wire/siphash.ts";

/** Octets of the key. */
export const TOKEN_KEY = 16;
/** Eight octets by chance and eight that prove who drew them, in hexadecimal. */
const RANDOM = 8;
const TOKEN = 4 * RANDOM;
const LABEL = Uint8Array.from([5, ...Buffer.from("_loop")]);
const SHORTEST = 1 + TOKEN + LABEL.length + 1;

/**
 * Names that nobody but us can have drawn: `TOKEN._loop.ZONE`. Below the zone of a route, so that a server which forwards
 * that zone forwards the name too.
 */
export class LoopTokens {
  readonly #hash: SipHash;

  /** `key` is random per process, and the same in all its workers: what one has asked another may get back. */
  constructor(key: Uint8Array) {
    this.#hash = new SipHash(key);
  }

  draw(): string {
    const random = randomBytes(RANDOM);
    return random.toString("hex") + this.#proof(random);
  }

  /** The token of ours in the name of `query`; for nearly all others one compare tells that there is none. */
  tokenIn({ key, nameLength }: Query): string | undefined {
    if (u8(key, 0) !== TOKEN || nameLength < SHORTEST) return undefined;
    if (!sameBytes(key, 1 + TOKEN, LABEL, 0, LABEL.length)) return undefined;
    const token = Buffer.from(key.buffer, key.byteOffset + 1, TOKEN).toString("latin1");
    const random = Buffer.from(token.slice(0, 2 * RANDOM), "hex");
    return random.length === RANDOM && this.#proof(random) === token.slice(2 * RANDOM) ? token : undefined;
  }

  #proof(random: Uint8Array): string {
    const proof = new Uint8Array(8);
    this.#hash.hash(random, RANDOM, proof, 0);
    return Buffer.from(proof).toString("hex");
  }
}

/** `TOKEN._loop.ZONE` as it is asked; undefined when the zone leaves no room for it. */
export function nameWith(token: string, zone: Uint8Array): Uint8Array | undefined {
  const name = Uint8Array.from([TOKEN, ...Buffer.from(token), ...LABEL, ...zone]);
  return name.length > LONGEST_NAME ? undefined : name;
}
