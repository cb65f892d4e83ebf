/** Who is who in the comparison, all on loopback. Both resolvers ask from an address of their own, so that the hostile server can tell them apart. */
export const PORT = 5_397;
export const US = { address: "127.97.0.1", asksFrom: "127.97.0.11" } as const;
export const UNBOUND = { address: "127.97.0.2", asksFrom: "127.97.0.12" } as const;
export const NSD = "127.97.0.3";
export const HOSTILE = ["127.97.0.4", "127.97.0.5"] as const;

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
