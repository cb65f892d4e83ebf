import { atOnce, type Steps } from "./sliced.ts";
import { sameBytes } from "./wire/octets.ts";
import { lowerName } from "./wire/name.ts";
import type { Query } from "./wire/query.ts";

/** A name and what it leads to: everything at and below it, or itself alone. */
export interface Suffix {
  readonly name: Uint8Array;
  /** Index of the place that answers for it. */
  readonly place: number;
  /** Names from a hosts file own themselves, not what is below them. */
  readonly exact: boolean;
}

/** Probes are short because the table is at most half full. */
const LOAD = 0.5;

/**
 * From a name to the place that answers for it: the longest suffix wins, and an exact name beats every suffix. Compares
 * wire bytes, label by label, so that `notcorp.example` never matches `corp.example`. One pass over the name from its
 * end, without allocation, and no deeper than the deepest name in the table.
 */
export class RouteTable {
  readonly #slots: Int32Array;
  readonly #suffixes: Suffix[] = [];
  readonly #mask: number;
  readonly #seed: number;
  #depth = 0;

  /** `seed` is random per process: with it nobody can prepare names that collide. */
  static of(suffixes: readonly Suffix[], seed: number): RouteTable {
    return atOnce(RouteTable.building(suffixes, seed));
  }

  /** The same, name by name: a hosts file may have hundreds of thousands. */
  static *building(suffixes: readonly Suffix[], seed: number): Steps<RouteTable> {
    const table = new RouteTable(suffixes.length, seed);
    for (const suffix of suffixes) {
      table.#add(suffix);
      yield;
    }
    return table;
  }

  private constructor(count: number, seed: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(8, count / LOAD)));
    this.#slots = new Int32Array(size);
    this.#mask = size - 1;
    this.#seed = seed;
  }

  /** The place for the query's name, or -1. */
  find(query: Query): number {
    const { key, labels, labelCount, nameLength } = query;
    let best = -1;
    let hash = this.#seed;
    let at = nameLength - 1;
    for (let depth = 0; depth <= labelCount && depth <= this.#depth; depth += 1) {
      const start = depth === 0 ? nameLength - 1 : (labels[labelCount - depth] ?? 0);
      for (; at >= start; at -= 1) hash = Math.imul(hash ^ (key[at] ?? 0), 0x01_00_01_93);
      const found = this.#lookUp(hash, key, start, nameLength - start, depth === labelCount);
      if (found >= 0) best = found;
    }
    return best;
  }

  #lookUp(hash: number, key: Uint8Array, start: number, length: number, whole: boolean): number {
    let best = -1;
    for (let slot = mixed(hash) & this.#mask; this.#slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const suffix = this.#suffixes[(this.#slots[slot] ?? 0) - 1];
      if (suffix === undefined || suffix.name.length !== length || (suffix.exact && !whole)) continue;
      if (!sameBytes(suffix.name, 0, key, start, length)) continue;
      if (suffix.exact) return suffix.place;
      best = suffix.place;
    }
    return best;
  }

  #add(suffix: Suffix): void {
    const name = lowerName(suffix.name);
    const index = this.#suffixes.push({ ...suffix, name }) - 1;
    this.#depth = Math.max(this.#depth, labelsOf(name));
    let hash = this.#seed;
    for (let at = name.length - 1; at >= 0; at -= 1) hash = Math.imul(hash ^ (name[at] ?? 0), 0x01_00_01_93);
    let slot = mixed(hash) & this.#mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = index + 1;
  }
}

function mixed(hash: number): number {
  const spread = Math.imul(hash ^ (hash >>> 15), 0x85_eb_ca_6b);
  return (spread ^ (spread >>> 13)) >>> 0;
}

function labelsOf(name: Uint8Array): number {
  let labels = 0;
  for (let at = 0; at < name.length && name[at] !== 0; at += (name[at] ?? 0) + 1) labels += 1;
  return labels;
}
