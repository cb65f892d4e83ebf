/** Images of one size in a slab with a directory in front, as the resolver's cache has them: only what a look-up reads. */
const WAYS = 16;
const WORDS_AHEAD = 10;
const KEY_BYTES = 24;
export const MESSAGE_BYTES = 120;
const IMAGE_BYTES = 4 * WORDS_AHEAD + MESSAGE_BYTES + 8;
const SEQUENCE = 0;
const HASH = 1;
const HEADER_BYTES = 12;

export interface Memory {
  readonly slab: ArrayBufferLike;
  readonly directory: ArrayBufferLike;
}

export function memoryFor(images: number, shared: boolean): Memory {
  const make = (bytes: number): ArrayBufferLike => (shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  return { slab: make(images * IMAGE_BYTES), directory: make(bucketsFor(images) * WAYS * 8) };
}

function bucketsFor(images: number): number {
  return 2 ** Math.ceil(Math.log2((images * 2) / WAYS));
}

export class Images {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #hashes: Int32Array;
  readonly #places: Int32Array;
  readonly #mask: number;

  constructor({ slab, directory }: Memory) {
    this.#bytes = new Uint8Array(slab);
    this.#words = new Int32Array(slab);
    const slots = directory.byteLength / 8;
    this.#hashes = new Int32Array(directory, 0, slots);
    this.#places = new Int32Array(directory, slots * 4, slots);
    this.#mask = slots / WAYS - 1;
  }

  /** Copies the image for `key` to `out` and patches it; false when it is not there. Nobody writes: a private slab. */
  read(key: Uint8Array, id: number, out: Uint8Array): boolean {
    const at = this.#find(key);
    if (at < 0) return false;
    this.#copy(at, id, out);
    return true;
  }

  /** The same beside a writer: what was read while the sequence was odd, or has changed, is read again. */
  readShared(key: Uint8Array, id: number, out: Uint8Array): boolean {
    for (;;) {
      const at = this.#find(key);
      if (at < 0) return false;
      const before = Atomics.load(this.#words, (at >>> 2) + SEQUENCE);
      this.#copy(at, id, out);
      if ((before & 1) === 0 && Atomics.load(this.#words, (at >>> 2) + SEQUENCE) === before) return true;
    }
  }

  /** Writes image number `place`; readers see the sequence odd meanwhile. */
  write(place: number, key: Uint8Array, fill: number): void {
    const at = place * IMAGE_BYTES;
    const word = at >>> 2;
    Atomics.add(this.#words, word + SEQUENCE, 1);
    const hash = hashOf(key);
    this.#words[word + HASH] = hash;
    const message = at + 4 * WORDS_AHEAD;
    this.#bytes.fill(fill, message, message + MESSAGE_BYTES);
    this.#bytes.set(key, message + HEADER_BYTES);
    Atomics.add(this.#words, word + SEQUENCE, 1);
    const base = (hash & this.#mask) * WAYS;
    for (let way = base; way < base + WAYS; way += 1) {
      const taken = Atomics.load(this.#places, way);
      if (taken !== 0 && taken !== place + 1) continue;
      this.#hashes[way] = hash;
      Atomics.store(this.#places, way, place + 1);
      return;
    }
  }

  #find(key: Uint8Array): number {
    const hash = hashOf(key);
    const base = (hash & this.#mask) * WAYS;
    for (let way = base; way < base + WAYS; way += 1) {
      if (this.#hashes[way] !== hash || this.#places[way] === 0) continue;
      const at = ((this.#places[way] ?? 0) - 1) * IMAGE_BYTES;
      if (this.#isFor(at + 4 * WORDS_AHEAD + HEADER_BYTES, key)) return at;
    }
    return -1;
  }

  #isFor(at: number, key: Uint8Array): boolean {
    for (let i = 0; i < KEY_BYTES; i += 1) if (this.#bytes[at + i] !== key[i]) return false;
    return true;
  }

  #copy(at: number, id: number, out: Uint8Array): void {
    const message = at + 4 * WORDS_AHEAD;
    for (let i = 0; i < MESSAGE_BYTES; i += 1) out[i] = this.#bytes[message + i] ?? 0;
    out[0] = id >>> 8;
    out[1] = id & 0xff;
  }
}

function hashOf(key: Uint8Array): number {
  let hash = 0x81_1c_9d_c5 | 0;
  for (let i = 0; i < KEY_BYTES; i += 1) hash = Math.imul(hash ^ (key[i] ?? 0), 0x01_00_01_93);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  return hash ^ (hash >>> 13);
}

/** Key number `n`: a name of eighteen letters and digits, type and class. */
export function keyOf(n: number): Uint8Array {
  const name = `\x07n${n.toString(36).padStart(6, "0")}\x07example\x03`;
  return Uint8Array.from(Buffer.from(name.padEnd(KEY_BYTES, "\x01"), "latin1").subarray(0, KEY_BYTES));
}
