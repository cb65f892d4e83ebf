/**
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), 64 bits in 32-bit halves: a keyed hash that a
 * stranger cannot work out, cheap enough for every query. Allocates nothing.
 */
export class SipHash {
  /** The key, as four little-endian words. */
  readonly #key = new Int32Array(4);
  /** v0..v3, low half first. */
  readonly #state = new Int32Array(8);
  readonly #block = new Uint8Array(8);

  /** `key` is sixteen octets. */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError("a SipHash key has 16 octets");
    for (let i = 0; i < 4; i += 1) this.#key[i] = word(key, 4 * i);
  }

  /** Hashes `bytes[0..length)` and writes the eight octets, little endian as SipHash has them, at `into[at]`. */
  hash(bytes: Uint8Array, length: number, into: Uint8Array, at: number): void {
    this.#start();
    const whole = length - (length % 8);
    for (let i = 0; i < whole; i += 8) this.#absorb(word(bytes, i), word(bytes, i + 4));
    const block = this.#block.fill(0);
    for (let i = whole; i < length; i += 1) block[i - whole] = bytes[i] ?? 0;
    block[7] = length & 0xff;
    this.#absorb(word(block, 0), word(block, 4));
    const v = this.#state;
    v[4] = (v[4] ?? 0) ^ 0xff;
    for (let i = 0; i < 4; i += 1) round(v);
    put(into, at, (v[0] ?? 0) ^ (v[2] ?? 0) ^ (v[4] ?? 0) ^ (v[6] ?? 0));
    put(into, at + 4, (v[1] ?? 0) ^ (v[3] ?? 0) ^ (v[5] ?? 0) ^ (v[7] ?? 0));
  }

  #start(): void {
    const v = this.#state;
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = this.#key;
    v[0] = k0 ^ 0x70736575;
    v[1] = k1 ^ 0x736f6d65;
    v[2] = k2 ^ 0x6e646f6d;
    v[3] = k3 ^ 0x646f7261;
    v[4] = k0 ^ 0x6e657261;
    v[5] = k1 ^ 0x6c796765;
    v[6] = k2 ^ 0x79746573;
    v[7] = k3 ^ 0x74656462;
  }

  #absorb(low: number, high: number): void {
    const v = this.#state;
    v[6] = (v[6] ?? 0) ^ low;
    v[7] = (v[7] ?? 0) ^ high;
    round(v);
    round(v);
    v[0] = (v[0] ?? 0) ^ low;
    v[1] = (v[1] ?? 0) ^ high;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

function put(into: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i += 1) into[at + i] = value >>> (8 * i);
}

/** One SipRound. */
function round(v: Int32Array): void {
  addThenMix(v, 0, 2, 13);
  swapHalves(v, 0);
  addThenMix(v, 4, 6, 16);
  addThenMix(v, 0, 6, 21);
  addThenMix(v, 4, 2, 17);
  swapHalves(v, 4);
}

/** a += b; b = rotate(b, bits) ^ a. `a` and `b` are places of low halves. */
function addThenMix(v: Int32Array, a: number, b: number, bits: number): void {
  const bLow = v[b] ?? 0;
  const bHigh = v[b + 1] ?? 0;
  const low = ((v[a] ?? 0) + bLow) | 0;
  const carry = low >>> 0 < bLow >>> 0 ? 1 : 0;
  const high = ((v[a + 1] ?? 0) + bHigh + carry) | 0;
  v[a] = low;
  v[a + 1] = high;
  v[b] = ((bLow << bits) | (bHigh >>> (32 - bits))) ^ low;
  v[b + 1] = ((bHigh << bits) | (bLow >>> (32 - bits))) ^ high;
}

/** A rotation by 32 bits. */
function swapHalves(v: Int32Array, a: number): void {
  const low = v[a] ?? 0;
  v[a] = v[a + 1] ?? 0;
  v[a + 1] = low;
}
