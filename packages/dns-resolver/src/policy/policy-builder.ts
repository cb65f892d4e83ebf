import { lowerByte, parseName } from "../wire/name.ts";
import { put32, sameBytes, u8 } from "../wire/octets.ts";
import type { Steps } from "../sliced.ts";
import {
  ENTRY,
  hashStep,
  LARGEST_ARENA,
  OFFSET_BITS,
  POLICY_ACTION,
  spreadOf,
  tagOf,
  type PolicyAction,
  type PolicyMemory,
} from "./policy-table.ts";

const FIRST_ARENA = 64 * 1_024;
/** Slots for each name: with fewer, names that are not listed take many probes. */
const SLOTS_PER_NAME = 1.5;
const FEWEST_SLOTS = 16;
/** Octets in one step; a quarter of a millisecond, where the memory has not been touched before. */
const COPIED_AT_ONCE = 256 * 1_024;
const LONGEST_NAME = 255;

/** Addresses that a list gives to one name; so many of either family that an answer over UDP may hold them. */
export const MOST_ADDRESSES = 8;

export interface PolicyAddresses {
  /** Seconds. */
  readonly ttl: number;
  readonly ipv4: Uint8Array[];
  readonly ipv6: Uint8Array[];
}

/** The names of all lists together do not fit: said in words by whoever reads the file. */
export class PolicyRoomError extends Error {
  override readonly name = "PolicyRoomError";
}

/** Collects names, one after the other, as bytes: a million of them as strings or objects would be half a gigabyte. */
export class PolicyBuilder {
  #arena: Uint8Array = new Uint8Array(FIRST_ARENA);
  #used = 0;
  #names = 0;
  #depth = 0;
  #lists = 0;
  readonly #name = new Uint8Array(LONGEST_NAME);

  get names(): number {
    return this.#names;
  }

  /** `name` on the wire, in lower case. Throws PolicyRoomError. */
  add(policy: number, name: Uint8Array, action: PolicyAction, scope: number, addresses?: PolicyAddresses): void {
    this.#put(policy, name, name.length, action, scope, addresses);
  }

  /** The same for a name in text; false when it is none. Host names, nearly all, are read without making anything. */
  addText(policy: number, text: string, action: PolicyAction, scope: number): boolean {
    const length = this.#plain(text);
    if (length > 0) {
      this.#put(policy, this.#name, length, action, scope);
      return true;
    }
    const name = parseName(text)?.map(lowerByte);
    if (name !== undefined) this.add(policy, name, action, scope);
    return name !== undefined;
  }

  /** Fills the table: the memory that the workers share. */
  *finishing(seed: number): Steps<PolicyMemory> {
    const size = 2 ** Math.ceil(Math.log2(Math.max(FEWEST_SLOTS, this.#names * SLOTS_PER_NAME)));
    const slots = new Uint32Array(new SharedArrayBuffer(size * 4));
    const arena = new Uint8Array(new SharedArrayBuffer(this.#used));
    for (let at = 0; at < this.#used; at += COPIED_AT_ONCE) {
      arena.set(this.#arena.subarray(at, Math.min(at + COPIED_AT_ONCE, this.#used)), at);
      yield;
    }
    this.#arena = arena;
    let names = 0;
    for (let at = 0; at < this.#used; at = this.#after(at)) {
      if (this.#place(slots, at, seed)) names += 1;
      yield;
    }
    return { slots, arena, seed, lists: this.#lists, depth: this.#depth, names };
  }

  #put(
    policy: number,
    name: Uint8Array,
    length: number,
    action: PolicyAction,
    scope: number,
    addresses?: PolicyAddresses,
  ): void {
    const at = this.#used;
    const more = addresses === undefined ? 0 : 6 + 4 * addresses.ipv4.length + 16 * addresses.ipv6.length;
    this.#used = (at + ENTRY.name + length + more + 3) & ~3;
    this.#reserve();
    const arena = this.#arena;
    arena[at + ENTRY.action] = action;
    arena[at + ENTRY.scope] = scope;
    arena[at + ENTRY.policy] = policy;
    arena[at + ENTRY.nameLength] = length;
    for (let i = 0; i < length; i += 1) arena[at + ENTRY.name + i] = name[i] ?? 0;
    if (addresses !== undefined) writeAddresses(arena, at + ENTRY.name + length, addresses);
    this.#names += 1;
    this.#lists = Math.max(this.#lists, policy + 1);
    let labels = 0;
    for (let i = 0; i < length - 1; i += u8(name, i) + 1) labels += 1;
    this.#depth = Math.max(this.#depth, labels);
  }

  #reserve(): void {
    if (this.#used <= this.#arena.length) return;
    if (this.#used > LARGEST_ARENA) throw new PolicyRoomError("too many names");
    const larger = new Uint8Array(Math.min(LARGEST_ARENA, Math.max(this.#used, this.#arena.length * 2)));
    larger.set(this.#arena);
    this.#arena = larger;
  }

  /** Where the entry behind the one at `at` begins. */
  #after(at: number): number {
    const arena = this.#arena;
    let end = at + ENTRY.name + u8(arena, at + ENTRY.nameLength);
    if (u8(arena, at) === POLICY_ACTION.address) end += 6 + 4 * u8(arena, end + 4) + 16 * u8(arena, end + 5);
    return (end + 3) & ~3;
  }

  /** False for what an earlier entry of the same list says already; the first one counts. */
  #place(slots: Uint32Array, at: number, seed: number): boolean {
    const arena = this.#arena;
    const length = u8(arena, at + ENTRY.nameLength);
    let hash = seed;
    for (let i = length - 1; i >= 0; i -= 1) hash = hashStep(hash, u8(arena, at + ENTRY.name + i));
    const spread = spreadOf(hash);
    const mask = slots.length - 1;
    let slot = spread & mask;
    for (; slots[slot] !== 0; slot = (slot + 1) & mask) if (this.#says(slots[slot] ?? 0, at, length)) return false;
    slots[slot] = ((tagOf(spread) << OFFSET_BITS) | (at / 4 + 1)) >>> 0;
    return true;
  }

  #says(slot: number, at: number, length: number): boolean {
    const arena = this.#arena;
    const other = ((slot & (2 ** OFFSET_BITS - 1)) - 1) * 4;
    const scope = u8(arena, at + ENTRY.scope);
    if (u8(arena, other + ENTRY.policy) !== u8(arena, at + ENTRY.policy)) return false;
    if ((u8(arena, other + ENTRY.scope) & scope) !== scope || u8(arena, other + ENTRY.nameLength) !== length)
      return false;
    return sameBytes(arena, other + ENTRY.name, arena, at + ENTRY.name, length);
  }

  /** Writes a host name's wire form to `#name`; returns its length, or 0 when it is anything but plain. */
  #plain(text: string): number {
    const name = this.#name;
    const end = text.endsWith(".") ? text.length - 1 : text.length;
    if (end === 0 || end > LONGEST_NAME - 2) return 0;
    let labelAt = 0;
    for (let i = 0; i < end; i += 1) {
      const code = text.charCodeAt(i);
      if (code === DOT) {
        if (!closeLabel(name, labelAt, i + 1)) return 0;
        labelAt = i + 1;
      } else if (isPlain(code)) name[i + 1] = lowerByte(code);
      else return 0;
    }
    if (!closeLabel(name, labelAt, end + 1)) return 0;
    name[end + 1] = 0;
    return end + 2;
  }
}

const DOT = 0x2e;
const LONGEST_LABEL = 63;

function closeLabel(name: Uint8Array, labelAt: number, next: number): boolean {
  const length = next - labelAt - 1;
  name[labelAt] = length;
  return length > 0 && length <= LONGEST_LABEL;
}

/** Letters, digits, the dash and the underscore. */
function isPlain(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x5f;
}

function writeAddresses(arena: Uint8Array, at: number, { ttl, ipv4, ipv6 }: PolicyAddresses): void {
  put32(arena, at, ttl);
  arena[at + 4] = ipv4.length;
  arena[at + 5] = ipv6.length;
  let next = at + 6;
  for (const address of [...ipv4, ...ipv6]) {
    arena.set(address, next);
    next += address.length;
  }
}
