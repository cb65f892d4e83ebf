/** On each of the addresses below. */
export const PORT = 5_397;

/** Who is who, all on loopback. Both resolvers ask from an address of their own, so that the hostile server can tell them apart. */
export interface Places {
  readonly us: string;
  readonly weAskFrom: string;
  readonly unbound: string;
  readonly unboundAsksFrom: string;
  readonly nsd: string;
  readonly hostile: readonly [string, string];
}

/**
 * Addresses of one run: nsd and unbound share theirs with whoever else wants them, and another run on the same machine would
 * answer in the place of this one.
 */
export function placesOf(run: number): Places {
  const at = (last: number): string => `127.97.${run % 256}.${last}`;
  return { us: at(1), weAskFrom: at(11), unbound: at(2), unboundAsksFrom: at(12), nsd: at(3), hostile: [at(4), at(5)] };
}

/** Served by nsd. */
export const ZONE = "oracle.example";
/** Served by nsd as a zone of its own: an alias into it is completed by nobody but who asks. */
export const BESIDE = "beside.example";
/** Served by the hostile server at both of its addresses. */
export const HOSTILE_ZONE = "hostile.example";

/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/** The same numbers for the same seed, on every machine (mulberry32). */
export class Seeded {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to `below` - 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error("nothing to pick from");
    return from[this.below(from.length)] as T;
  }
}
