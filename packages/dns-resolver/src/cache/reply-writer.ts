import { EDNS_SIZE, OPT_BYTES, SMALLEST_UDP, writeOpt, writeOption } from "../wire/edns.ts";
import { AD, AT, CD, HEADER_BYTES, QR, RA, RD, TC } from "../wire/header.ts";
import { copyBytes, put16, put32, u16, u32, u8 } from "../wire/octets.ts";
import type { Query } from "../wire/query.ts";
import { OPTION } from "../wire/registry.ts";
import { evenAfter, MESSAGE_AT, WORD, type Slab } from "./image.ts";

/** RFC 8767 section 4: what a stale record's TTL says. */
const STALE_TTL = 30;
/** RFC 1035 section 4.2.2: a two-byte length. */
export const LARGEST_TCP = 65_535;

/** Records that point into the question, in a buffer that is used again. */
export interface OwnRecords {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly answers: number;
  readonly authorities: number;
}

/** The largest UDP answer this client may get: never more than it can take, and never more than 1232. */
export function udpLimit(query: Query): number {
  return query.edns ? Math.min(Math.max(query.udpSize, SMALLEST_UDP), EDNS_SIZE) : SMALLEST_UDP;
}

/** Writes answers by copying and patching; nothing here parses or allocates. */
export class ReplyWriter {
  /** Where the OPT record of the reply last written begins in it; -1 when it has none. */
  optAt = -1;
  readonly #nsid: Uint8Array;
  /** Where replies were last written to, and the same memory four octets at a time. */
  #out: Uint8Array = new Uint8Array();
  #outWords: Uint32Array = new Uint32Array();

  /** `nsid` is what RFC 5001 calls the server's identity: site/instance. */
  constructor(nsid: Uint8Array) {
    this.#nsid = nsid;
  }

  /**
   * Answers `query`, whose message begins at `from[fromAt]`, with the image at `slab[at]`. `age` is how many seconds to
   * take from every TTL; -1 says that the image is stale. Returns the length of the reply.
   */
  image(
    slab: Slab,
    at: number,
    query: Query,
    from: Uint8Array,
    fromAt: number,
    age: number,
    extended: Uint8Array | undefined,
    limit: number,
    out: Uint8Array,
    outAt: number,
  ): number {
    const word = at >>> 2;
    const length = (slab.words[word + WORD.lengths] ?? 0) >>> 16;
    const room = limit - this.#optLength(query, extended);
    const end = length <= room ? length : HEADER_BYTES + query.keyLength;
    this.#copyMessage(slab, at + MESSAGE_AT, end, out, outAt);
    patchTtls(slab, at, age, end, out, outAt);
    put16(out, outAt + AT.id, query.id);
    const flags = u8(out, outAt + AT.flags);
    const low = u8(out, outAt + AT.lowFlags);
    const wantsAd = query.dnssecOk || (query.lowFlags & AD) !== 0;
    out[outAt + AT.flags] = flags | (query.flags & RD);
    out[outAt + AT.lowFlags] = (wantsAd ? low : low & ~AD) | (query.lowFlags & CD);
    if (end < length) cut(out, outAt);
    copyBytes(from, fromAt + HEADER_BYTES, query.nameLength, out, outAt + HEADER_BYTES);
    return this.#finish(query, 0, extended, out, outAt, end);
  }

  /** A reply without records: the header, the question if one was read, and an OPT record if the query had one. */
  status(
    query: Query,
    from: Uint8Array,
    fromAt: number,
    rcode: number,
    extended: Uint8Array | undefined,
    out: Uint8Array,
    outAt: number,
  ): number {
    const question = query.keyLength;
    copyBytes(from, fromAt, HEADER_BYTES + question, out, outAt);
    put16(out, outAt + AT.id, query.id);
    out[outAt + AT.flags] = QR | (query.flags & (0x78 | RD));
    out[outAt + AT.lowFlags] = RA | (query.lowFlags & CD) | (rcode & 0x0f);
    put16(out, outAt + AT.questions, question > 0 ? 1 : 0);
    put32(out, outAt + AT.answers, 0);
    put16(out, outAt + AT.additionals, 0);
    return this.#finish(query, rcode, extended, out, outAt, HEADER_BYTES + question);
  }

  /** As `status`, with records of our own; where these do not fit, TC. */
  records(
    query: Query,
    from: Uint8Array,
    fromAt: number,
    rcode: number,
    records: OwnRecords,
    extended: Uint8Array | undefined,
    limit: number,
    out: Uint8Array,
    outAt: number,
  ): number {
    const end = HEADER_BYTES + query.keyLength;
    copyBytes(from, fromAt, end, out, outAt);
    out[outAt + AT.flags] = QR | (query.flags & RD);
    out[outAt + AT.lowFlags] = RA | (query.lowFlags & CD) | rcode;
    put16(out, outAt + AT.questions, 1);
    const fits = end + records.length + this.#optLength(query, extended) <= limit;
    put16(out, outAt + AT.answers, fits ? records.answers : 0);
    put16(out, outAt + AT.authorities, fits ? records.authorities : 0);
    put16(out, outAt + AT.additionals, 0);
    if (fits) copyBytes(records.bytes, 0, records.length, out, outAt + end);
    else out[outAt + AT.flags] = u8(out, outAt + AT.flags) | TC;
    return this.#finish(query, 0, extended, out, outAt, fits ? end + records.length : end);
  }

  /** Four octets at a time where they lie so in both, which they do in the slab and in a batch: half the time that it takes. */
  #copyMessage(slab: Slab, from: number, length: number, out: Uint8Array, outAt: number): void {
    const to = out.byteOffset + outAt;
    const whole = (to & 3) === 0 ? length >>> 2 : 0;
    if (out !== this.#out) {
      this.#out = out;
      this.#outWords = new Uint32Array(out.buffer, 0, out.buffer.byteLength >>> 2);
    }
    const { words } = slab;
    for (let i = 0; i < whole; i += 1) this.#outWords[(to >>> 2) + i] = words[(from >>> 2) + i] ?? 0;
    copyBytes(slab.bytes, from + 4 * whole, length - 4 * whole, out, outAt + 4 * whole);
  }

  #optLength(query: Query, extended: Uint8Array | undefined): number {
    if (!query.edns) return 0;
    const nsid = query.wantsNsid ? 4 + this.#nsid.length : 0;
    const cookie = query.cookieReply ? 4 + query.cookie.length : 0;
    return OPT_BYTES + nsid + cookie + (extended === undefined ? 0 : 4 + extended.length);
  }

  #finish(
    query: Query,
    rcode: number,
    extended: Uint8Array | undefined,
    out: Uint8Array,
    outAt: number,
    length: number,
  ): number {
    this.optAt = query.edns ? length : -1;
    if (!query.edns) return length;
    const opt = outAt + length;
    let at = writeOpt(out, opt, rcode, query.dnssecOk);
    if (query.cookieReply) at = writeOption(out, opt, at, OPTION.COOKIE, query.cookie);
    if (query.wantsNsid) at = writeOption(out, opt, at, OPTION.NSID, this.#nsid);
    if (extended !== undefined) at = writeOption(out, opt, at, OPTION.EDE, extended);
    put16(out, outAt + AT.additionals, u16(out, outAt + AT.additionals) + 1);
    return at - outAt;
  }
}

/**
 * What does not fit is asked for again over TCP. There is nothing to leave out in silence: the image has no additionals, and
 * authorities only where the answer is worth less without them (RFC 4035 section 3.1.3, RFC 2308 section 2).
 */
function cut(out: Uint8Array, outAt: number): void {
  put32(out, outAt + AT.answers, 0);
  out[outAt + AT.flags] = u8(out, outAt + AT.flags) | TC;
}

/** RFC 1035 section 3.2.1, in place: every TTL less what it has aged, or the stale value. */
function patchTtls(slab: Slab, at: number, age: number, end: number, out: Uint8Array, outAt: number): void {
  if (age === 0) return;
  const lengths = slab.words[(at >>> 2) + WORD.lengths] ?? 0;
  const offsets = at + evenAfter(lengths >>> 16);
  for (let i = 0; i < (lengths & 0xff_ff); i += 1) {
    const ttlAt = u16(slab.bytes, offsets + 2 * i);
    if (ttlAt >= end) return;
    const ttl = u32(out, outAt + ttlAt);
    put32(out, outAt + ttlAt, age < 0 ? STALE_TTL : Math.max(0, ttl - age));
  }
}
