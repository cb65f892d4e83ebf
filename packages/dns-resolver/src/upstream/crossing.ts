import type { Clock } from "@stitch/clock";
import { tickOf, type Cache } from "../cache.ts";
import { LEADS_ON, MESSAGE_AT, NEVER, packImage, tagOf, WORD, type ImageParts, type Slab } from "../cache/image.ts";
import { EXTENDED } from "../extended-error.ts";
import { CD } from "../wire/header.ts";
import { decodeMessage } from "../wire/message.ts";
import { adoptName, Query } from "../wire/query.ts";
import { CLASS } from "../wire/registry.ts";
import { isOfUse, type AliasJudge } from "../policy/alias-judge.ts";
import { VERDICT } from "../policy/policy-judge.ts";
import type { Alias } from "./digest.ts";
import { cachedOutcome, failed, NOBODY } from "./flight.ts";
import type { Failed, Flight, Names, Outcome, Settle } from "./flight.ts";
import { QuestionKey } from "./question-key.ts";
import { relevantAnswers } from "./relevant.ts";
import { MOST_CROSSINGS } from "./shares.ts";
import { cutOff, splice, type Spliced } from "./splice.ts";
import type { Route } from "./upstream.ts";
import type { ReadonlyKeyed } from "./keyed.ts";

/** What is asked for, and whom it waits for: a flight, or a client who asked for local data. */
export interface Chaser extends Pick<Flight, "type" | "dnssecOk" | "checkingDisabled" | "crossings" | "refreshes"> {
  waitsFor: Flight | undefined;
  passes: boolean;
}

/** A client who asked for local data. */
export function chaserOf({ type, dnssecOk, lowFlags }: Query): Chaser {
  const checkingDisabled = (lowFlags & CD) !== 0;
  return { type, dnssecOk, checkingDisabled, crossings: 0, refreshes: false, waitsFor: undefined, passes: false };
}

type Image = Extract<Outcome, { kind: "image" }>;

/** An answer put together from several places. */
export interface Whole {
  readonly kind: "whole";
  readonly parts: ImageParts;
  readonly ttl: number;
  readonly stale: boolean;
}

export interface CrossingOptions {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly names: Names;
  readonly routes: ReadonlyMap<number, Route>;
  readonly maxTtl: number;
  readonly lists?: () => Pick<AliasJudge, "along" | "answers">;
}

/** Asks a route as a client would; returns the flight that `settle` waits for. */
export type Want = (
  query: Query,
  place: number,
  route: Route,
  tag: number,
  settle: Settle,
  crossings: number,
  passes: boolean,
) => Flight | undefined;

/** Completes answers whose alias leads elsewhere: what it leads to is asked for there, and the two become one answer. */
export class Crossing {
  readonly #options: () => CrossingOptions;
  readonly #flights: ReadonlyKeyed<Flight>;
  readonly #want: Want;
  readonly #scratch = new Query();

  constructor(options: () => CrossingOptions, flights: ReadonlyKeyed<Flight>, want: Want) {
    this.#options = options;
    this.#flights = flights;
    this.#want = want;
  }

  async complete(chaser: Chaser, alias: Alias, crossings = chaser.crossings): Promise<Whole | Failed> {
    const { lists, maxTtl } = this.#options();
    const verdict = lists?.().along(alias);
    chaser.passes ||= verdict === VERDICT.passes;
    if (verdict === VERDICT.answered && !chaser.passes) return wholeOf(cutOff(alias, maxTtl));
    const rest = await this.#rest(chaser, alias.leadsTo, crossings);
    chaser.waitsFor = undefined;
    if (rest.kind === "failed") return rest;
    return wholeOf(splice(alias, rest, maxTtl), rest);
  }

  /** An answer of local data, with what a route has to say at its end. */
  async fromLocal(chaser: Chaser, image: Slab, crossings = chaser.crossings): Promise<Outcome> {
    const alias = this.#aliasOf(image);
    if (alias === undefined) return { kind: "image", image, stale: false, ttl: NEVER, age: 0 };
    if (crossings >= MOST_CROSSINGS) return failed(EXTENDED.aliasTooLong);
    const whole = await this.complete(chaser, alias, crossings + 1);
    if (whole.kind === "failed") return whole;
    const { parts, stale, ttl } = whole;
    return { kind: "image", image: packImage(parts, 0), stale, ttl, age: 0 };
  }

  /** From local data, from the cache, or by a flight of its own that other clients may join. */
  #rest(chaser: Chaser, name: Uint8Array, crossings: number): Promise<Outcome> {
    const { cache, clock, lists, names, routes } = this.#options();
    const query = this.#scratch;
    adoptName(query, name, chaser.type, CLASS.IN);
    query.dnssecOk = chaser.dnssecOk;
    query.lowFlags = chaser.checkingDisabled ? CD : 0;
    const place = names.placeOf(query);
    const local = names.localImage(query, place);
    if (local !== undefined) return this.fromLocal(chaser, local, crossings);
    const route = routes.get(place);
    if (route === undefined) return Promise.resolve(failed(EXTENDED.noRoute));
    const tag = tagOf(place, chaser.dnssecOk, chaser.checkingDisabled);
    const tick = tickOf(clock.now());
    const at = cache.find(query, tag, tick);
    // What is about to expire would make the answer that is asked for anew expire with it.
    const mayServe = at >= 0 && cache.isFresh(at, tick) && !(chaser.refreshes && cache.isNearEnd(at, tick));
    if (mayServe && isOfUse(cache.slab, at, chaser.passes, lists?.()))
      return Promise.resolve(cachedOutcome(cache.copy(at), tick));
    if (this.#waitsForItself(chaser, new QuestionKey(query, tag, chaser.passes)))
      return Promise.resolve(failed(EXTENDED.aliasLoop));
    if (crossings >= MOST_CROSSINGS) return Promise.resolve(failed(EXTENDED.aliasTooLong));
    return new Promise((resolve) => {
      chaser.waitsFor = this.#want(query, place, route, tag, resolve, crossings + 1, chaser.passes);
    });
  }

  /** The flight with this key waits, by others, for `chaser`: they would wait for each other. */
  #waitsForItself(chaser: Chaser, key: QuestionKey): boolean {
    for (let each = this.#flights.get(key); each !== undefined; each = each.waitsFor) {
      if (each === chaser) return true;
    }
    return false;
  }

  /** The alias at the end of a local answer that a route answers for. */
  #aliasOf(image: Slab): Alias | undefined {
    if (((image.words[WORD.state] ?? 0) & LEADS_ON) === 0) return undefined;
    const length = (image.words[WORD.lengths] ?? 0) >>> 16;
    const message = decodeMessage(image.bytes.subarray(MESSAGE_AT, MESSAGE_AT + length));
    if (!message.ok) return undefined;
    const { names } = this.#options();
    const isLocal = (name: Uint8Array): boolean => {
      adoptName(this.#scratch, name, 0, CLASS.IN);
      return names.placeOf(this.#scratch) <= NOBODY;
    };
    const { answers, leadsTo } = relevantAnswers(message.value, isLocal);
    return leadsTo === undefined
      ? undefined
      : { message: message.value, answers, authorities: [], leadsTo, within: false };
  }
}

function wholeOf(
  spliced: Spliced,
  rest: Pick<Image, "stale" | "ttl"> = { stale: false, ttl: Infinity },
): Whole | Failed {
  if (spliced.kind === "loop") return failed(EXTENDED.aliasLoop);
  if (spliced.kind === "too-large") return failed(EXTENDED.aliasTooLarge);
  const ttl = rest.stale ? 0 : Math.min(spliced.ttl, rest.ttl);
  return { kind: "whole", parts: spliced.parts, ttl, stale: rest.stale };
}
