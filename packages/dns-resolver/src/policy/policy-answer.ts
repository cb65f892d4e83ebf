import { HEADER_BYTES } from "../wire/header.ts";
import { copyBytes, put16, put32, u32, u8 } from "../wire/octets.ts";
import { parseName } from "../wire/name.ts";
import { CLASS, TYPE } from "../wire/registry.ts";
import { ENTRY } from "./policy-table.ts";

/** Seconds that a "no" may be kept: a name that is taken off a list works again within a minute. */
const NEGATIVE_TTL = 60;
const MAILBOX = parseName("nobody.invalid") ?? Uint8Array.of(0);
/** Serial, refresh, retry, expire, minimum. */
const SOA_NUMBERS = [1, 3_600, 600, 86_400, NEGATIVE_TTL];
/** Eight addresses of 16 octets are the most. */
const LARGEST = 512;

/** Records of an answer of our own, written anew for each; nothing is made per query. */
export class PolicyRecords {
  readonly bytes = new Uint8Array(LARGEST);
  length = 0;
  answers = 0;
  authorities = 0;
  readonly #soa: Uint8Array;

  constructor() {
    const numbers = Buffer.alloc(4 * SOA_NUMBERS.length);
    for (const [i, value] of SOA_NUMBERS.entries()) numbers.writeUInt32BE(value, 4 * i);
    this.#soa = Uint8Array.from([0, ...MAILBOX, ...numbers]);
  }

  /** RFC 2308 section 3: a SOA whose owner, which stands in the question at `suffixAt` of the name, says for how long. */
  negative(suffixAt: number): void {
    this.#begin();
    this.#record(suffixAt, TYPE.SOA, NEGATIVE_TTL, this.#soa, 0, this.#soa.length);
    this.authorities = 1;
  }

  /** The addresses of the entry at `entry` for `type`, if it has any; else no records. */
  addresses(arena: Uint8Array, entry: number, type: number): void {
    this.#begin();
    const at = entry + ENTRY.name + u8(arena, entry + ENTRY.nameLength);
    const [ttl, ipv4, ipv6] = [u32(arena, at), u8(arena, at + 4), u8(arena, at + 5)];
    const count = type === TYPE.A ? ipv4 : type === TYPE.AAAA ? ipv6 : 0;
    const size = type === TYPE.A ? 4 : 16;
    const first = at + 6 + (type === TYPE.AAAA ? 4 * ipv4 : 0);
    for (let i = 0; i < count; i += 1) this.#record(0, type, ttl, arena, first + i * size, size);
    this.answers = count;
  }

  #begin(): void {
    this.length = 0;
    this.answers = 0;
    this.authorities = 0;
  }

  /** Owner as a pointer into the question, type, class, TTL, length, data. */
  #record(suffixAt: number, type: number, ttl: number, data: Uint8Array, dataAt: number, size: number): void {
    const at = this.length;
    put16(this.bytes, at, 0xc000 | (HEADER_BYTES + suffixAt));
    put16(this.bytes, at + 2, type);
    put16(this.bytes, at + 4, CLASS.IN);
    put32(this.bytes, at + 6, ttl);
    put16(this.bytes, at + 10, size);
    copyBytes(data, dataAt, size, this.bytes, at + 12);
    this.length = at + 12 + size;
  }
}
