import { ENDPOINT_BYTES, endpointPort, TRUNCATED, writeEndpoint } from "@stitch/linux-io";
import type { Arrivals, Endpoint, Replies } from "@stitch/linux-io";
import { OWN_PRECISION, type ClockState } from "./host-clock/clock-state.ts";
import { codeOf, type ReasonCode } from "./reasons.ts";
import { readUint32, writeUint32 } from "./wire/octets.ts";
import {
  encodeHeader,
  FLAGS_AT,
  flagsOf,
  HEADER_BYTES,
  LEAP_UNKNOWN,
  leapOf,
  MODE_CLIENT,
  MODE_SERVER,
  MODE_SYMMETRIC_ACTIVE,
  modeOf,
  ORIGIN_AT,
  POLL_AT,
  RECEIVE_AT,
  referenceIdOf,
  TRANSMIT_AT,
  versionOf,
} from "./wire/packet.ts";
import { classifyTail, TAIL_MAC, TAIL_MALFORMED } from "./wire/tail.ts";
import { eraSeconds, fractionOf, shortOf, ZERO_TIMESTAMP } from "./wire/timestamp.ts";

const SERVED = codeOf("served");
const SERVED_UNSYNCHRONISED = codeOf("served-unsynchronised");
const SHORT = codeOf("short");
const OVERSIZED = codeOf("oversized");
const VERSION_UNSUPPORTED = codeOf("version-unsupported");
const NOT_CLIENT_MODE = codeOf("not-client-mode");
const SYMMETRIC_ACTIVE = codeOf("symmetric-active");
const SOURCE_PORT_ZERO = codeOf("source-port-zero");
const OWN_SOCKET = codeOf("own-socket");
const MAC_UNSUPPORTED = codeOf("mac-unsupported");
const EXTENSION_MALFORMED = codeOf("extension-malformed");

/** RFC 5905 appendix A.1: versions that are answered, each with its own number. */
const OLDEST_VERSION = 1;
const NEWEST_VERSION = 4;

/** Seconds; what an unsynchronised server says of its root delay and dispersion (RFC 5905: MAXDIST). */
const UNKNOWN_DISTANCE = 1;

const LARGEST_FRACTION = 0xffff_ffff;

export interface ResponderOptions {
  /** Our own sockets. A request that claims to come from one of them is forged, or a loop. */
  readonly own: readonly Endpoint[];
  /** Log2 seconds of the precision of receive and transmit stamps; what is below is filled with chance. */
  readonly receivePrecision: number;
  readonly transmitPrecision: number;
  /** Start of the sequence of chance; any 32-bit number. */
  readonly seed: number;
}

/**
 * Decides what becomes of a datagram, and writes the reply. Touches neither socket nor clock and allocates nothing: a
 * decision is an index into REASONS, and a length in the reply slab.
 *
 * A normal request: 48 octets, version 4, mode 3. The reply says what `serve` was last told of the clock, echoes version
 * and poll, copies the client's transmit timestamp to origin bit by bit (it may be a random number: it is the client's
 * way to know its own answer), and carries the receive time. `stampTransmit` adds the last field just before the batch
 * is sent.
 *
 * A hard one: 68 octets with a MAC, from a client that was configured with a key. No key is known here; a plain answer
 * would be thrown away there, so none is sent, and the reason shows in the metrics. Also hard: mode 6 or 7 with a forged
 * source, in search of an amplifier. Ignored; nothing that is sent is ever longer than what asked for it.
 */
export class Responder {
  /** A whole header as it stands for any client; version, poll and three timestamps are filled in per reply. */
  readonly #template = new Uint8Array(HEADER_BYTES);
  /** Endpoint records, one after the other. */
  readonly #own: Uint8Array;
  readonly #receiveChance: number;
  readonly #transmitChance: number;
  #chance: number;

  constructor({ own, receivePrecision, transmitPrecision, seed }: ResponderOptions) {
    this.#own = new Uint8Array(own.length * ENDPOINT_BYTES);
    for (const [i, endpoint] of own.entries()) writeEndpoint(endpoint, this.#own, i * ENDPOINT_BYTES);
    this.#receiveChance = chanceMask(receivePrecision);
    this.#transmitChance = chanceMask(transmitPrecision);
    this.#chance = seed | 0 || 1;
    this.serve({ kind: "unsynchronised", kiss: "INIT", detail: "" });
  }

  /** What the clock is like from now on. */
  serve(state: ClockState): void {
    writeState(state, this.#template);
  }

  /** Decides arrival `slot`; a reply lacks only its transmit timestamp. */
  decide(arrivals: Arrivals, slot: number, replies: Replies): ReasonCode {
    const at = slot * arrivals.slotSize;
    const length = arrivals.lengths[slot] ?? 0;
    const refused = this.#refusal(arrivals, slot, at, length);
    if (refused >= 0) return refused;
    this.#reply(arrivals, slot, at, replies);
    return leapOf(this.#template[FLAGS_AT] ?? 0) === LEAP_UNKNOWN ? SERVED_UNSYNCHRONISED : SERVED;
  }

  /** Completes reply `slot`: the wall time at which it leaves, never before the request came. */
  stampTransmit(replies: Replies, slot: number, unixSeconds: number, nanoseconds: number): void {
    const at = slot * replies.slotSize;
    const { bytes } = replies;
    let whole = eraSeconds(unixSeconds);
    let fraction = this.#filled(fractionOf(nanoseconds), this.#transmitChance);
    const receivedWhole = readUint32(bytes, at + RECEIVE_AT);
    const receivedFraction = readUint32(bytes, at + RECEIVE_AT + 4);
    if (isBefore(whole, fraction, receivedWhole, receivedFraction)) {
      whole = receivedWhole;
      fraction = receivedFraction;
    }
    writeUint32(bytes, at + TRANSMIT_AT, whole);
    writeUint32(bytes, at + TRANSMIT_AT + 4, fraction);
  }

  /** The reason not to answer, or -1. Cheap and certain checks first. */
  #refusal(arrivals: Arrivals, slot: number, at: number, length: number): ReasonCode {
    if (((arrivals.flags[slot] ?? 0) & TRUNCATED) !== 0) return OVERSIZED;
    if (length < HEADER_BYTES) return SHORT;
    const flags = arrivals.bytes[at + FLAGS_AT] ?? 0;
    const version = versionOf(flags);
    if (version < OLDEST_VERSION || version > NEWEST_VERSION) return VERSION_UNSUPPORTED;
    const mode = modeOf(flags);
    if (mode !== MODE_CLIENT) return mode === MODE_SYMMETRIC_ACTIVE ? SYMMETRIC_ACTIVE : NOT_CLIENT_MODE;
    if (endpointPort(arrivals.peers, slot * ENDPOINT_BYTES) === 0) return SOURCE_PORT_ZERO;
    if (this.#isOwn(arrivals.peers, slot * ENDPOINT_BYTES)) return OWN_SOCKET;
    const tail = classifyTail(arrivals.bytes, at, length, version);
    if (tail === TAIL_MAC) return MAC_UNSUPPORTED;
    return tail === TAIL_MALFORMED ? EXTENSION_MALFORMED : -1;
  }

  #reply(arrivals: Arrivals, slot: number, at: number, replies: Replies): void {
    const { bytes: request } = arrivals;
    const { bytes: out } = replies;
    const to = slot * replies.slotSize;
    for (let i = 0; i < ORIGIN_AT; i += 1) out[to + i] = this.#template[i] ?? 0;
    const leap = leapOf(this.#template[FLAGS_AT] ?? 0);
    out[to + FLAGS_AT] = flagsOf(leap, versionOf(request[at + FLAGS_AT] ?? 0), MODE_SERVER);
    out[to + POLL_AT] = request[at + POLL_AT] ?? 0;
    for (let i = 0; i < 8; i += 1) out[to + ORIGIN_AT + i] = request[at + TRANSMIT_AT + i] ?? 0;
    const fraction = fractionOf(arrivals.receivedNanoseconds[slot] ?? 0);
    writeUint32(out, to + RECEIVE_AT, eraSeconds(arrivals.receivedSeconds[slot] ?? 0));
    writeUint32(out, to + RECEIVE_AT + 4, this.#filled(fraction, this.#receiveChance));
    replies.lengths[slot] = HEADER_BYTES;
  }

  #isOwn(peers: Uint8Array, peer: number): boolean {
    for (let own = 0; own < this.#own.length; own += ENDPOINT_BYTES) {
      let i = 0;
      while (i < ENDPOINT_BYTES && this.#own[own + i] === peers[peer + i]) i += 1;
      if (i === ENDPOINT_BYTES) return true;
    }
    return false;
  }

  /** RFC 5905 section 6: bits below the precision are random, so that no two stamps are alike. Marsaglia's xorshift. */
  #filled(fraction: number, mask: number): number {
    let x = this.#chance;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#chance = x;
    return Math.min(LARGEST_FRACTION, fraction + (x & mask));
  }
}

/** Units of 2^-32 s that lie below a precision of 2^`precision` s, as a mask. */
function chanceMask(precision: number): number {
  return precision <= -32 ? 0 : 2 ** Math.min(31, 32 + precision) - 1;
}

/** Era-safe order of two timestamps less than 68 years apart. */
function isBefore(whole: number, fraction: number, thanWhole: number, thanFraction: number): boolean {
  return whole === thanWhole ? fraction < thanFraction : ((whole - thanWhole) | 0) < 0;
}

function writeState(state: ClockState, into: Uint8Array): void {
  const stamps = { origin: ZERO_TIMESTAMP, receive: ZERO_TIMESTAMP, transmit: ZERO_TIMESTAMP };
  const common = { version: 0, mode: MODE_SERVER, poll: 0, ...stamps };
  if (state.kind === "synchronised") {
    const { rootDelay, rootDispersion, ...rest } = state;
    const distance = { rootDelay: shortOf(rootDelay), rootDispersion: shortOf(rootDispersion) };
    encodeHeader({ ...common, ...rest, ...distance }, into);
    return;
  }
  const unknown = shortOf(UNKNOWN_DISTANCE);
  encodeHeader(
    {
      ...common,
      leap: LEAP_UNKNOWN,
      stratum: 0,
      precision: OWN_PRECISION,
      rootDelay: unknown,
      rootDispersion: unknown,
      referenceId: referenceIdOf(state.kiss),
      reference: ZERO_TIMESTAMP,
    },
    into,
  );
}
