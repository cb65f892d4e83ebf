import { ENDPOINT_BYTES, endpointPort, readEndpoint } from "@stitch/linux-io";

/** What JSON.stringify writes for each control character; ours is the same byte for byte, so a search may compare bytes. */
const ESCAPES: readonly Uint8Array[] = Array.from({ length: 0x20 }, (_, code) =>
  Buffer.from(JSON.stringify(String.fromCharCode(code)).slice(1, -1), "latin1"),
);
const HEX_BASE64 = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "latin1");
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const EQUALS = 0x3d;

/** Distinct IPv6 addresses whose text is remembered; the slot is chosen by hash, so a flood of sources only overwrites. */
const ADDRESS_SLOTS = 256;

interface AddressSlot {
  readonly record: Uint8Array;
  text: Uint8Array;
}

/** A constant piece of JSON as bytes. */
export function piece(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

/**
 * Writes JSON as bytes into a slab, allocating nothing. The caller makes sure of the room: at most 6 bytes for each
 * byte of text (an escaped control character).
 */
export class JsonBytes {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  readonly #addresses: (AddressSlot | undefined)[] = Array.from({ length: ADDRESS_SLOTS }, () => undefined);

  begin(bytes: Uint8Array, at: number): void {
    this.bytes = bytes;
    this.at = at;
  }

  /** For pieces of a few bytes, a loop is faster than TypedArray.set. */
  piece(source: Uint8Array): void {
    const { bytes } = this;
    let { at } = this;
    for (let i = 0; i < source.length; i += 1) bytes[at++] = source[i] as number;
    this.at = at;
  }

  byte(byte: number): void {
    this.bytes[this.at++] = byte;
  }

  /** A whole number from 0 up to 2^53. */
  number(value: number): void {
    let width = 1;
    for (let limit = 10; value >= limit; limit *= 10) width += 1;
    this.padded(value, width);
  }

  /** `value` in `width` digits, with leading zeros. */
  padded(value: number, width: number): void {
    const { bytes } = this;
    let i = this.at + width - 1;
    let rest = value;
    for (; rest > 0x7fffffff; i -= 1) {
      const next = Math.floor(rest / 10);
      bytes[i] = 0x30 + (rest - next * 10);
      rest = next;
    }
    // From here on in 31-bit whole numbers, which is twice as fast.
    for (let small = rest | 0; i >= this.at; i -= 1) {
      const next = (small / 10) | 0;
      bytes[i] = 0x30 + (small - next * 10);
      small = next;
    }
    this.at += width;
  }

  /** Bytes known to be printable ASCII without quote and backslash. */
  ascii(source: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i += 1) this.bytes[this.at++] = source[i] as number;
  }

  /**
   * Text between quotes as UTF-8. Returns false at the first byte that is not valid UTF-8, having written part of it:
   * the caller goes back and chooses another form.
   */
  strictText(source: Uint8Array, start: number, end: number): boolean {
    let next = start;
    while (next < end) {
      next = this.#plainRun(source, next, end);
      if (next >= end) break;
      const width = this.#special(source, next, end);
      if (width === 0) return false;
      next += width;
    }
    return true;
  }

  /** The same for text that may be in any encoding: what is not UTF-8 is read as ISO-8859-1, byte by byte. */
  tolerantText(source: Uint8Array, start: number, end: number): void {
    let next = start;
    while (next < end) {
      next = this.#plainRun(source, next, end);
      if (next >= end) break;
      next += this.#special(source, next, end) || this.#latin1(source[next] as number);
    }
  }

  base64(source: Uint8Array, start: number, end: number): void {
    let i = start;
    for (; i + 2 < end; i += 3) this.#quad(source[i] as number, source[i + 1] as number, source[i + 2] as number, 4);
    if (i + 1 < end) this.#quad(source[i] as number, source[i + 1] as number, 0, 3);
    else if (i < end) this.#quad(source[i] as number, 0, 0, 2);
  }

  /** `192.0.2.1:514`, `[2001:db8::1]:514`; nothing for an empty record. */
  endpoint(record: Uint8Array, offset: number): void {
    if (record[offset] === 4) this.#ipv4(record, offset + 4);
    else if (record[offset] === 6) this.piece(this.#ipv6(record, offset));
    else return;
    this.byte(0x3a);
    this.number(endpointPort(record, offset));
  }

  #plainRun(source: Uint8Array, start: number, end: number): number {
    const { bytes } = this;
    let { at } = this;
    let next = start;
    while (next < end) {
      const byte = source[next] as number;
      if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) break;
      bytes[at++] = byte;
      next += 1;
    }
    this.at = at;
    return next;
  }

  /** One character that is not plain ASCII. Returns its width in `source`, 0 when it is not UTF-8. */
  #special(source: Uint8Array, at: number, end: number): number {
    const byte = source[at] as number;
    if (byte < 0x20) this.piece(ESCAPES[byte] as Uint8Array);
    else if (byte < 0x80) {
      this.byte(BACKSLASH);
      this.byte(byte);
    } else {
      const width = utf8Width(source, at, end);
      this.ascii(source, at, at + width);
      return width;
    }
    return 1;
  }

  #latin1(byte: number): number {
    this.byte(0xc0 | (byte >> 6));
    this.byte(0x80 | (byte & 0x3f));
    return 1;
  }

  #quad(a: number, b: number, c: number, digits: number): void {
    const bits = (a << 16) | (b << 8) | c;
    for (let i = 0; i < 4; i += 1) {
      this.byte(i < digits ? (HEX_BASE64[(bits >> (18 - 6 * i)) & 0x3f] as number) : EQUALS);
    }
  }

  #ipv4(record: Uint8Array, at: number): void {
    for (let i = 0; i < 4; i += 1) {
      if (i > 0) this.byte(0x2e);
      this.number(record[at + i] as number);
    }
  }

  #ipv6(record: Uint8Array, offset: number): Uint8Array {
    let hash = 0;
    for (let i = 4; i < ENDPOINT_BYTES; i += 1) hash = (hash * 31 + (record[offset + i] as number)) | 0;
    const index = (hash >>> 0) % ADDRESS_SLOTS;
    const known = this.#addresses[index];
    if (known !== undefined && sameAddress(known.record, record, offset)) return known.text;
    const text = piece(`[${readEndpoint(record, offset)?.address ?? ""}]`);
    this.#addresses[index] = { record: record.slice(offset, offset + ENDPOINT_BYTES), text };
    return text;
  }
}

function sameAddress(known: Uint8Array, record: Uint8Array, offset: number): boolean {
  for (let i = 4; i < ENDPOINT_BYTES; i += 1) if (known[i] !== record[offset + i]) return false;
  return true;
}

/** Bytes of the well-formed UTF-8 character at `at` (RFC 3629: no overlong forms, no surrogates); 0 when it is none. */
function utf8Width(source: Uint8Array, at: number, end: number): number {
  const lead = source[at] as number;
  const width = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (width === 0 || at + width > end) return 0;
  const second = source[at + 1] as number;
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let i = 2; i < width; i += 1) if (((source[at + i] as number) & 0xc0) !== 0x80) return 0;
  return width;
}
