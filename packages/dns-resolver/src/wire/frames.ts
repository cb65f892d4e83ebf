import { put16, u16 } from "./octets.ts";

/** Pieces kept apart before they are joined: each costs some 100 bytes besides its own, and may hold a single one. */
const MOST_PIECES = 256;

/** Messages of a stream, each behind a two-byte length (RFC 1035 section 4.2.2), however the stream is cut. */
export class Frames {
  #chunks: Uint8Array[] = [];
  #length = 0;
  /** Bytes without which looking is in vain: a message sent byte by byte must not be copied for every byte. */
  #needed = 2;

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#chunks.length > MOST_PIECES) this.#joined();
  }

  /** The next whole message, or undefined. */
  next(): Uint8Array | undefined {
    if (this.#length < this.#needed) return undefined;
    const all = this.#joined();
    const end = 2 + u16(all, 0);
    this.#needed = end;
    if (all.length < end) return undefined;
    this.#chunks = all.length > end ? [all.subarray(end)] : [];
    this.#length = all.length - end;
    this.#needed = 2;
    return all.subarray(2, end);
  }

  #joined(): Uint8Array {
    const [only] = this.#chunks;
    const all = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}

/** RFC 1035 section 4.2.2: the length in front. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(message.length + 2);
  put16(frame, 0, message.length);
  frame.set(message, 2);
  return frame;
}
