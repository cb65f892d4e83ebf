import { CLIENT_COOKIE } from "./wire/edns.ts";
import { put32, sameBytes, u32, u8 } from "./wire/octets.ts";
import { SipHash } from "./wire/siphash.ts";

/** RFC 9018 section 4: version, reserved, timestamp, hash. */
const SERVER_COOKIE = 16;
const VERSION = 1;
/** RFC 9018 section 4.3, seconds: how old a cookie may be, how far in the future, and from when on a new one is given. */
const OLDEST = 3_600;
const NEWEST = 300;
const RENEW_AFTER = 1_800;
const HASH_AT = 8;
/** Octets that are hashed: both cookies up to the hash, and the client's address. */
const LONGEST_INPUT = CLIENT_COOKIE + HASH_AT + 16;

/**
 * Interoperable DNS cookies (RFC 9018): a client that shows one of ours is not forged. All sites share the secrets, so
 * that a client keeps its cookie when the network takes it elsewhere. The first secret makes cookies, all of them
 * recognise them: a new one is put second everywhere, then first everywhere, and the old one goes an hour later.
 */
export class Cookies {
  readonly #hashes: readonly SipHash[];
  readonly #input = new Uint8Array(LONGEST_INPUT);
  readonly #hash = new Uint8Array(8);

  /** Secrets of sixteen octets; none: no cookies. */
  constructor(secrets: readonly Uint8Array[]) {
    this.#hashes = secrets.map((secret) => new SipHash(secret));
  }

  get enabled(): boolean {
    return this.#hashes.length > 0;
  }

  /**
   * Judges the option's data, client cookie and server cookie, at `bytes[at]`, from the endpoint record at
   * `peers[peerAt]`, at `now` in seconds since 1970.
   */
  isValid(bytes: Uint8Array, at: number, length: number, peers: Uint8Array, peerAt: number, now: number): boolean {
    if (length !== CLIENT_COOKIE + SERVER_COOKIE || u8(bytes, at + CLIENT_COOKIE) !== VERSION) return false;
    const age = ageOf(bytes, at, now);
    if (age > OLDEST || age < -NEWEST) return false;
    for (const hash of this.#hashes) {
      this.#compute(hash, bytes, at, peers, peerAt);
      if (sameBytes(this.#hash, 0, bytes, at + CLIENT_COOKIE + HASH_AT, 8)) return true;
    }
    return false;
  }

  /** Writes the data of our option at `into[to]`, 24 octets: the client's cookie and one of ours, the old one while it is young. */
  write(
    bytes: Uint8Array,
    at: number,
    valid: boolean,
    peers: Uint8Array,
    peerAt: number,
    now: number,
    into: Uint8Array,
    to: number,
  ): void {
    const keep = valid && ageOf(bytes, at, now) <= RENEW_AFTER;
    const length = CLIENT_COOKIE + (keep ? SERVER_COOKIE : 0);
    for (let i = 0; i < length; i += 1) into[to + i] = u8(bytes, at + i);
    const [current] = this.#hashes;
    if (keep || current === undefined) return;
    const server = to + CLIENT_COOKIE;
    put32(into, server, VERSION << 24);
    put32(into, server + 4, now);
    this.#compute(current, into, to, peers, peerAt);
    into.set(this.#hash, server + HASH_AT);
  }

  #compute(hash: SipHash, bytes: Uint8Array, at: number, peers: Uint8Array, peerAt: number): void {
    const input = this.#input;
    const head = CLIENT_COOKIE + HASH_AT;
    for (let i = 0; i < head; i += 1) input[i] = u8(bytes, at + i);
    const octets = u8(peers, peerAt) === 4 ? 4 : 16;
    for (let i = 0; i < octets; i += 1) input[head + i] = u8(peers, peerAt + 4 + i);
    hash.hash(input, head + octets, this.#hash, 0);
  }
}

/** Seconds since the cookie was made, by serial arithmetic (RFC 1982): the stamp wraps in 2106. */
function ageOf(bytes: Uint8Array, at: number, now: number): number {
  return (now - u32(bytes, at + CLIENT_COOKIE + 4)) | 0;
}
