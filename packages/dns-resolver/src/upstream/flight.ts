import { TICKS_PER_SECOND, WORD, type Slab } from "../cache/image.ts";
import { EXTENDED } from "../extended-error.ts";
import { REASON, type ReasonCode } from "../reasons.ts";
import { CD } from "../wire/header.ts";
import type { Query } from "../wire/query.ts";
import type { QuestionKey } from "./question-key.ts";
import type { Route } from "./upstream.ts";

/** A client's query that waits, as it came, and how to answer it. */
export interface Waiter {
  readonly query: Uint8Array;
  /** The client's endpoint record. */
  readonly peer: Uint8Array;
  readonly tcp: boolean;
  readonly reply: (message: Uint8Array) => void;
}

/** A name that no route and no local data claims. */
export const NOBODY = -1;

/** Who answers for names, so that an alias can be followed to where it leads. */
export interface Names {
  /** Number of the route; NOBODY; or a number below it, which means local data. */
  placeOf(query: Query): number;
  /** The answer of local data; undefined when the place is a route. */
  localImage(query: Query, place: number): Slab | undefined;
}

export type Outcome =
  /** `ttl`: for how long it is good, in seconds; `age`: since when its TTLs were right. */
  | {
      readonly kind: "image";
      readonly image: Slab;
      readonly stale: boolean;
      readonly ttl: number;
      readonly age: number;
    }
  | { readonly kind: "failed"; readonly extended: Uint8Array; readonly reason: ReasonCode };

export type Failed = Extract<Outcome, { kind: "failed" }>;

export type Settle = (outcome: Outcome) => void;

/** A question on its way, and who waits for the answer. */
export interface Flight {
  readonly key: QuestionKey;
  readonly tag: number;
  readonly place: number;
  readonly route: Route;
  readonly question: Uint8Array;
  readonly nameLength: number;
  readonly type: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly stale: Slab | undefined;
  /** Nobody waits: it is for an answer that is about to expire. */
  readonly refreshes: boolean;
  /** Clients, and flights whose alias leads here. */
  waiters: Settle[];
  /** Those who came in time have got the stale answer; who comes now gets it at once. */
  late: boolean;
  /** Nobody had an answer in time; late ones are still waited for. */
  failure: Failed | undefined;
  /** The flight for the name that its alias leads to. */
  waitsFor: Flight | undefined;
  /** An exception of a list stands in the aliases that led here: whatever comes is let pass. */
  passes: boolean;
  /** Aliases of other routes that led here; 0 for a client's question. */
  readonly crossings: number;
}

/** What a question is asked for: at whose place, for whom, and what there is instead. */
export type Errand = Pick<Flight, "key" | "place" | "route" | "tag" | "waiters" | "crossings" | "passes" | "stale">;

export function flightOf(query: Query, errand: Errand): Flight {
  return {
    ...errand,
    question: errand.key.kept(),
    nameLength: query.nameLength,
    type: query.type,
    dnssecOk: query.dnssecOk,
    checkingDisabled: (query.lowFlags & CD) !== 0,
    refreshes: errand.waiters.length === 0,
    late: false,
    failure: undefined,
    waitsFor: undefined,
  };
}

/** Of a route or a question that has too many on their way. */
export const BUSY: Failed = { kind: "failed", extended: EXTENDED.busy, reason: REASON.upstreamBusy };

/** To a question of ours that has come back: whoever forwards it asks somebody else. */
export const LOOPED: Failed = { kind: "failed", extended: EXTENDED.loop, reason: REASON.looped };

export function failed(extended: Uint8Array): Failed {
  return { kind: "failed", extended, reason: REASON.upstreamFailed };
}

export function staleOutcome(image: Slab): Outcome {
  return { kind: "image", image, stale: true, ttl: 0, age: 0 };
}

/** An image of the cache: what is left of its life, and how old it is. */
export function cachedOutcome(image: Slab, tick: number): Outcome {
  const ticks = (word: number): number => image.words[word] ?? 0;
  const ttl = Math.floor((ticks(WORD.expires) - tick) / TICKS_PER_SECOND);
  const age = Math.floor((tick - ticks(WORD.stored)) / TICKS_PER_SECOND);
  return { kind: "image", image, stale: false, ttl, age };
}

export function turnAway(settle: Settle, stale: Slab | undefined, otherwise: Outcome = BUSY): undefined {
  settle(stale === undefined ? otherwise : staleOutcome(stale));
  return undefined;
}
