import { sameBytes, u8 } from "../wire/octets.ts";
import type { Query } from "../wire/query.ts";

/** What becomes of a name that is listed. */
export const POLICY_ACTION = { nxdomain: 1, nodata: 2, passthru: 3, address: 4 } as const;
export type PolicyAction = (typeof POLICY_ACTION)[keyof typeof POLICY_ACTION];

/** Whom an entry means, as bits: the name itself, the names below it. */
export const SCOPE = { self: 1, below: 2 } as const;

/**
 * An entry of the arena, on an offset divisible by four:
 *
 *   0  action   1  scope   2  policy, from 0   3  length of the name   4  the name, in lower case
 *   behind it, for addresses: TTL(4), number of IPv4 and of IPv6 addresses (1 each), these (4 and 16 each)
 */
export const ENTRY = { action: 0, scope: 1, policy: 2, nameLength: 3, name: 4 } as const;
/** A slot holds the entry's offset in units of four, plus one, and above it seven bits of its hash. */
export const OFFSET_BITS = 25;
export const OFFSET_MASK = 2 ** OFFSET_BITS - 1;
export const LARGEST_ARENA = (OFFSET_MASK - 1) * 4;

/** The names of all lists, in memory that every worker sees and none writes. */
export interface PolicyMemory {
  readonly slots: Uint32Array;
  readonly arena: Uint8Array;
  /** Random, so that whoever writes a list cannot make its names collide. */
  readonly seed: number;
  readonly lists: number;
  /** Labels of the deepest name. */
  readonly depth: number;
  readonly names: number;
}

/**
 * Finds the entry for a name. The list that comes first in the configuration wins; within one, the name itself before a
 * wildcard, and of wildcards the longest, but none from above a name that is itself listed (as RFC 4592 has it: `*.example`
 * means nothing to what is below `free.example` when that has an entry). One pass over the name from its end, no deeper
 * than the deepest name listed, without allocation; what is not listed costs one probe of the slots for each label, and
 * hardly ever a look into the arena.
 */
export class PolicyTable {
  /** Where in the question the name of the entry last found begins. */
  suffixAt = 0;
  readonly arena: Uint8Array;
  readonly #slots: Uint32Array;
  readonly #mask: number;
  readonly #seed: number;
  readonly #depth: number;
  /** By list, of the name that is looked for: its entry, or -1, and at how many labels it was found. */
  readonly #found: Int32Array;
  readonly #foundAt: Uint8Array;
  #any = false;

  constructor({ slots, arena, seed, depth, lists }: PolicyMemory) {
    this.arena = arena;
    this.#slots = slots;
    this.#mask = slots.length - 1;
    this.#seed = seed;
    this.#depth = depth;
    this.#found = new Int32Array(lists);
    this.#foundAt = new Uint8Array(lists);
  }

  /** The offset of the entry in the arena, or -1. */
  find(query: Query): number {
    const { key, labelCount, nameLength } = query;
    this.#any = false;
    let hash = this.#seed;
    let at = nameLength - 1;
    for (let depth = 0; depth <= labelCount && depth <= this.#depth; depth += 1) {
      const start = startOf(query, depth);
      for (; at >= start; at -= 1) hash = hashStep(hash, key[at] ?? 0);
      this.#lookUp(hash, key, start, nameLength - start, depth, depth === labelCount);
    }
    if (!this.#any) return -1;
    for (let list = 0; list < this.#found.length; list += 1) {
      const entry = this.#found[list] ?? -1;
      if (entry < 0) continue;
      this.suffixAt = startOf(query, this.#foundAt[list] ?? 0);
      return entry;
    }
    return -1;
  }

  /** Notes what the lists say of this name, `whole` when it is the one asked for and not one above it. */
  #lookUp(hash: number, key: Uint8Array, start: number, length: number, depth: number, whole: boolean): void {
    const spread = spreadOf(hash);
    const tag = tagOf(spread);
    for (let slot = spread & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = this.#slots[slot] ?? 0;
      if (entry === 0) return;
      if (entry >>> OFFSET_BITS !== tag) continue;
      const at = ((entry & OFFSET_MASK) - 1) * 4;
      if (u8(this.arena, at + ENTRY.nameLength) !== length) continue;
      if (sameBytes(this.arena, at + ENTRY.name, key, start, length)) this.#note(at, depth, whole);
    }
  }

  #note(at: number, depth: number, whole: boolean): void {
    const list = u8(this.arena, at + ENTRY.policy);
    const scope = u8(this.arena, at + ENTRY.scope);
    if (!this.#any) this.#found.fill(-1);
    this.#any = true;
    if ((scope & (whole ? SCOPE.self : SCOPE.below)) !== 0) {
      this.#found[list] = at;
      this.#foundAt[list] = depth;
    } else if (!whole && (this.#foundAt[list] ?? 0) < depth) this.#found[list] = -1;
  }
}

/** Where in the name its last `depth` labels begin. */
function startOf({ labels, labelCount, nameLength }: Query, depth: number): number {
  return depth === 0 ? nameLength - 1 : (labels[labelCount - depth] ?? 0);
}

/** FNV-1a, from the end of the name, so that every suffix is a state on the way. */
export function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01_00_01_93);
}

export function spreadOf(hash: number): number {
  const spread = Math.imul(hash ^ (hash >>> 15), 0x85_eb_ca_6b);
  return (spread ^ (spread >>> 13)) >>> 0;
}

/** Bits that the place in the table does not use, unless it has more slots than there is memory for. */
export function tagOf(spread: number): number {
  return spread >>> OFFSET_BITS;
}
