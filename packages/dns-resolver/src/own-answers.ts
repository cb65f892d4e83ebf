import { Cache } from "./cache.ts";
import { LEADS_ON, NEVER, WORD, type Slab } from "./cache/image.ts";
import type { Claims } from "./claims.ts";
import type { LocalZone } from "./local/local-zone.ts";
import { AliasJudge, reasonOf } from "./policy/alias-judge.ts";
import type { PolicyJudge } from "./policy/policy-judge.ts";
import type { ReasonCode } from "./reasons.ts";
import type { Query } from "./wire/query.ts";

/** They are made when first asked for; names that do not exist are made up by strangers. */
const CACHE_BYTES = 4 * 2 ** 20;
/** In the tags of what lists make of answers; those of local answers have the number of a place there. */
const BY_LIST = 0x80_00_00_00;

/**
 * Answers that are made here and kept until the next reload: those of local data, and what lists make of answers whose aliases
 * lead to a name of theirs. The latter stay in the cache as they came, for lists that think otherwise.
 */
export class OwnAnswers {
  /** The lists, for names that aliases lead to. */
  readonly lists: AliasJudge;
  /** Where the answer is that was found last. */
  slab: Slab;
  at = 0;
  readonly #cache: Cache;
  readonly #claims: Claims;

  /** `version`: from 1, another one for every reload. */
  constructor(claims: Claims, judge: PolicyJudge | undefined, version: number, seed: number) {
    this.#claims = claims;
    this.lists = new AliasJudge(judge, (name) => claims.zoneOf(name) !== undefined, version);
    this.#cache = new Cache({ size: CACHE_BYTES, staleSeconds: 0, seed });
    this.slab = this.#cache.slab;
  }

  /** The answer of local data. */
  find(query: Query, zone: LocalZone, place: number, tick: number): void {
    const tag = place << 2;
    this.slab = this.#cache.slab;
    this.at = this.#cache.find(query, tag, tick);
    if (this.at < 0) this.#keep(this.#claims.answer(query, zone, tag), query, tag, tick);
  }

  /** Its aliases lead to what a route has to say. */
  get leadsOn(): boolean {
    return ((this.slab.words[(this.at >>> 2) + WORD.state] ?? 0) & LEADS_ON) !== 0;
  }

  /**
   * Whether clients get something else for the image at `found` in the cache, which these lists have not let pass yet. A new
   * answer to the same question has no verdict, so that what was made of the former one is never given for it.
   */
  replaces(found: Slab, at: number, query: Query, tag: number, tick: number): boolean {
    const verdict = (at >>> 2) + WORD.verdict;
    const ownTag = (tag | BY_LIST) >>> 0;
    this.slab = this.#cache.slab;
    this.at = found.words[verdict] === this.lists.answered ? this.#cache.find(query, ownTag, tick) : -1;
    if (this.at >= 0) return true;
    const instead = this.lists.instead(found, at);
    if (instead === undefined) return false;
    found.words[verdict] = this.lists.answered;
    this.#keep(instead, query, ownTag, tick);
    return true;
  }

  /** The same for an image on its own, which clients wait for. */
  replacesLate(image: Slab): boolean {
    const instead = this.lists.insteadOf(image);
    if (instead !== undefined) [this.slab, this.at] = [instead, 0];
    return instead !== undefined;
  }

  /** What goes with the image that replaced another. */
  get extended(): Uint8Array | undefined {
    return this.lists.extendedOf(this.slab, this.at);
  }

  get reason(): ReasonCode {
    return reasonOf(this.slab, this.at);
  }

  #keep(image: Slab, query: Query, tag: number, tick: number): void {
    this.at = this.#cache.store(image, query, tag, tick, NEVER);
    if (this.at < 0) [this.slab, this.at] = [image, 0];
  }
}
