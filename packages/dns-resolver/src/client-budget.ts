import type { Prefix } from "@stitch/config";
import { AllowList } from "./allow-list.ts";
import { TICKS_PER_SECOND } from "./cache/image.ts";
import { hashDone, hashOctet } from "./seeded-hash.ts";

/** What a query takes from the budget of whoever asks. An answer that is at hand is cheap, a question upstream is not. */
export const COST = { answer: 1, question: 19 } as const;
/**
 * Networks of clients that are told apart: 12 bytes each. Two may fall into one bucket and share its budget; who wants to
 * fall into somebody else's must know the seed.
 */
const BUCKETS = 2 ** 16;
/** Seconds of budget that may be saved up: a burst after silence is how clients work. */
const BURST_SECONDS = 2;
/** Octets of an address that make a network: IPv4 /24, IPv6 /56, what one customer or one forger usually has. */
const NETWORK_OCTETS: Readonly<Record<number, number>> = { 4: 3, 6: 7 };

export interface ClientBudgetOptions {
  /** Cost that one network may cause in a second; 0: no limit. */
  readonly perSecond: number;
  /** Of the queries that are over it, one in so many is answered with TC: a real client then comes over TCP. 0: none. */
  readonly slip: number;
  readonly exempt: readonly Prefix[];
  /** Random per process. */
  readonly seed: number;
}

export const LIMITED = { no: 0, drop: 1, slip: 2 } as const;
export type Limited = (typeof LIMITED)[keyof typeof LIMITED];

/**
 * Token buckets by client network, for UDP: bounds what a flood from one place costs the others, and what a flood with
 * a forged source sends to whoever is behind that address. Allocates nothing after its construction.
 */
export class ClientBudget {
  readonly #perTick: number;
  readonly #burst: number;
  readonly #slip: number;
  readonly #seed: number;
  readonly #exempt: AllowList;
  /** What is left, by bucket; filled up when it is looked at. Double: beyond 2^24 single precision loses what one answer costs. */
  readonly #left: Float64Array;
  readonly #seenAt: Int32Array;
  #over = 0;

  constructor({ perSecond, slip, exempt, seed }: ClientBudgetOptions) {
    this.#perTick = perSecond / TICKS_PER_SECOND;
    // A share of a small budget among many workers would otherwise never let a question through.
    this.#burst = Math.max(COST.answer + COST.question, perSecond * BURST_SECONDS);
    this.#slip = slip;
    this.#seed = seed | 0;
    this.#exempt = AllowList.of(exempt);
    const buckets = perSecond > 0 ? BUCKETS : 0;
    this.#left = new Float64Array(buckets).fill(this.#burst);
    this.#seenAt = new Int32Array(buckets);
  }

  /** Takes `cost` from the network of the endpoint record at `peers[at]`; says what to do when it has not that much. */
  take(peers: Uint8Array, at: number, cost: number, tick: number): Limited {
    if (this.#perTick === 0 || this.#exempt.allows(peers, at)) return LIMITED.no;
    const bucket = this.#bucketOf(peers, at);
    const passed = Math.max(0, tick - (this.#seenAt[bucket] ?? 0));
    const left = Math.min(this.#burst, (this.#left[bucket] ?? 0) + passed * this.#perTick);
    this.#seenAt[bucket] = tick;
    this.#left[bucket] = left >= cost ? left - cost : left;
    if (left >= cost) return LIMITED.no;
    if (this.#slip === 0) return LIMITED.drop;
    this.#over += 1;
    return this.#over % this.#slip === 0 ? LIMITED.slip : LIMITED.drop;
  }

  /** Over the octets of the network. */
  #bucketOf(peers: Uint8Array, at: number): number {
    const octets = NETWORK_OCTETS[peers[at] ?? 0] ?? 0;
    let hash = this.#seed ^ octets;
    for (let i = 0; i < octets; i += 1) hash = hashOctet(hash, peers[at + 4 + i] ?? 0);
    return hashDone(hash) & (BUCKETS - 1);
  }
}
