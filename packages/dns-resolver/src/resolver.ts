import { COST, LIMITED, type Limited } from "./client-budget.ts";
import type { Cache } from "./cache.ts";
import { isCut, NO_ALIAS, tagOf, TICKS_PER_SECOND, WORD, type Slab } from "./cache/image.ts";
import { LARGEST_TCP, ReplyWriter, udpLimit } from "./cache/reply-writer.ts";
import { asksToExplain } from "./explain.ts";
import { Claims } from "./claims.ts";
import { chaosAnswer } from "./chaos.ts";
import { EXTENDED, staleError } from "./extended-error.ts";
import { told } from "./faults.ts";
import { anyAnswer, textAnswer } from "./local/local-answer.ts";
import type { LocalZone } from "./local/local-zone.ts";
import { OwnAnswers } from "./own-answers.ts";
import type { AliasJudge } from "./policy/alias-judge.ts";
import { VERDICT, type PolicyJudge } from "./policy/policy-judge.ts";
import { REASON, type ReasonCode } from "./reasons.ts";
import type { Replaced, ResolverOptions } from "./resolver-options.ts";
import { RouteTable } from "./routes.ts";
import { padded, RESPONSE_BLOCK } from "./tls/padding.ts";
import { AT, CD, RD, TC } from "./wire/header.ts";
import { decodeQuery, FAULT, Query, type Fault } from "./wire/query.ts";
import { CLASS, RCODE, TYPE } from "./wire/registry.ts";

/**
 * What is to be done with a query: nothing, send the reply that stands in `out`, ask upstream, or send the reply and ask
 * upstream for what will soon be in its place.
 */
export const ACTION = { silent: 0, answer: 1, forward: 2, refresh: 3 } as const;
export type Action = (typeof ACTION)[keyof typeof ACTION];

/**
 * The decision for one query; no I/O, no clock of its own, and for local and cached answers no allocation.
 *
 * Normal: the client is allowed, the query is well formed, its name has a route, the cache has an image: the image is
 * copied to `out`, patched, and its length stands in `length`, the reason in `reason`.
 *
 * Hard: no image, or one that has expired. The action is `forward`, `place` and `tag` say for whom; the caller asks
 * upstream and comes back with `lateImage` or `lateFailure`, once for each client that waits.
 */
export class Resolver {
  readonly cache: Cache;
  /** Has lines about the name of a query that asks for them; without it such a query is like any other. */
  explain: ((query: Query) => readonly string[]) | undefined;
  /** The query last decided. */
  readonly query = new Query();
  length = 0;
  reason: ReasonCode = 0;
  /** Number of the route, and the cache tag, of a query to forward. */
  place = -1;
  tag = 0;
  #options: ResolverOptions;
  #claims: Claims;
  #own: OwnAnswers;
  #version = 1;
  readonly #writer: ReplyWriter;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.cache = options.cache;
    this.#claims = new Claims(options.places, RouteTable.of(options.suffixes, options.seed));
    this.#own = new OwnAnswers(this.#claims, options.judge, this.#version, options.seed);
    this.#writer = new ReplyWriter(Buffer.from(options.identity));
  }

  /**
   * Decides the message of `size` bytes at `bytes[at]` from the endpoint record at `peers[peerAt]`. `out` has room for
   * 1232 bytes from `outAt`, or 65535 when `tcp`.
   */
  decide(
    bytes: Uint8Array,
    at: number,
    size: number,
    peers: Uint8Array,
    peerAt: number,
    tcp: boolean,
    tick: number,
    out: Uint8Array,
    outAt: number,
  ): Action {
    const { query } = this;
    const allowed = this.#options.allow.allows(peers, peerAt);
    const fault = decodeQuery(bytes, at, size, query);
    if (fault === FAULT.short) return this.#silent(REASON.tooShort);
    if (fault === FAULT.response) return this.#silent(REASON.isResponse);
    if (!allowed) return this.#turnAway(bytes, at, out, outAt);
    const mayShow = fault === FAULT.none || fault === FAULT.cookieAlone;
    const known = (mayShow && this.#cookie(bytes, peers, peerAt)) || tcp;
    if (!known) {
      const limited = this.#options.budget.take(peers, peerAt, COST.answer, tick);
      if (limited !== LIMITED.no) return this.#limit(limited, bytes, at, out, outAt);
    }
    if (fault !== FAULT.none) return this.#fault(fault, bytes, at, out, outAt);
    if (query.class !== CLASS.IN) return this.#otherClass(bytes, at, peers, peerAt, tcp, out, outAt);
    if (query.type === TYPE.OPT || query.type === 0 || (query.type >= TYPE.TKEY && query.type < TYPE.ANY)) {
      const transfer = query.type === TYPE.AXFR || query.type === TYPE.IXFR;
      const reason = transfer ? REASON.transferRefused : REASON.typeRefused;
      return this.#refuse(bytes, at, EXTENDED.notSupported, reason, out, outAt);
    }
    if (this.explain !== undefined && asksToExplain(query)) {
      return this.#explained(this.explain, bytes, at, peers, peerAt, tcp, out, outAt);
    }
    this.place = this.#claims.indexOf(query);
    const place = this.#claims.at(this.place);
    if (place === undefined) return this.#refuse(bytes, at, EXTENDED.noRoute, REASON.noRoute, out, outAt);
    const { judge } = this.#options;
    if (judge !== undefined && place.kind === "route" && (query.flags & RD) !== 0) {
      if (judge.judge(query) === VERDICT.answered) return this.#byPolicy(judge, bytes, at, tcp, out, outAt);
    }
    if (query.type === TYPE.ANY) return this.#made(anyAnswer(query, 0), REASON.anyMinimal, bytes, at, tcp, out, outAt);
    const isLocal = place.kind === "zone";
    if (!isLocal && (query.flags & RD) === 0) {
      return this.#refuse(bytes, at, EXTENDED.notRecursive, REASON.recursionNotDesired, out, outAt);
    }
    if (!isLocal) this.place = place.route;
    const action = isLocal
      ? this.#fromZone(place.zone, bytes, at, tcp, tick, out, outAt)
      : this.#fromCache(bytes, at, tcp, tick, out, outAt);
    if (action === ACTION.answer || known) return action;
    const limited = this.#options.budget.take(peers, peerAt, COST.question, tick);
    if (limited === LIMITED.no) return action;
    return action === ACTION.refresh ? ACTION.answer : this.#limit(limited, bytes, at, out, outAt);
  }

  /** Decides by these from the next query on. Cached answers stay with the numbers of their routes. */
  adopt(next: Replaced): void {
    const { admin, allow, budget, cookies, judge, places, suffixes, table } = next;
    this.#options = { ...this.#options, admin, allow, budget, cookies, judge, places, suffixes };
    this.#claims = new Claims(places, table);
    this.#version += 1;
    // An alias may have led from one zone's answer into another zone, or to a name that is on no list any more.
    this.#own = new OwnAnswers(this.#claims, judge, this.#version, this.#options.seed);
  }

  /** Whether the client at this endpoint record may ask at all. */
  admits(peer: Uint8Array): boolean {
    return this.#options.allow.allows(peer, 0);
  }

  /** Answers a query that has waited, `bytes`, with what came for it. */
  lateImage(image: Slab, stale: boolean, bytes: Uint8Array, peer: Uint8Array, tcp: boolean, out: Uint8Array): void {
    const own = this.#own;
    const replaced = own.replacesLate(image);
    if (!replaced && isCut(image, 0)) {
      return this.lateFailure(EXTENDED.aliasCut, REASON.upstreamFailed, bytes, peer, out);
    }
    decodeQuery(bytes, 0, bytes.length, this.query);
    this.#cookie(bytes, peer, 0);
    const age = stale ? -1 : 0;
    if (replaced) this.#write(own.slab, own.at, age, bytes, 0, tcp, own.extended, out, 0);
    else this.#write(image, 0, age, bytes, 0, tcp, stale ? staleError(image) : undefined, out, 0);
    this.reason = replaced ? own.reason : stale ? REASON.stale : REASON.forwarded;
  }

  /** Answers a query that has waited, `bytes`, with SERVFAIL and why. */
  lateFailure(extended: Uint8Array, reason: ReasonCode, bytes: Uint8Array, peer: Uint8Array, out: Uint8Array): void {
    decodeQuery(bytes, 0, bytes.length, this.query);
    this.#cookie(bytes, peer, 0);
    this.length = this.#writer.status(this.query, bytes, 0, RCODE.SERVFAIL, extended, out, 0);
    this.reason = reason;
  }

  /** The reply that was last written at `bytes`, padded when the query was: for TLS, where lengths are all that shows. */
  padded(bytes: Uint8Array): Uint8Array {
    const { optAt } = this.#writer;
    return this.query.padded && optAt >= 0 && bytes.length > 0 ? padded(bytes, optAt, RESPONSE_BLOCK) : bytes;
  }

  /** Who answers for names, as it is now. */
  get claims(): Claims {
    return this.#claims;
  }

  /** The lists as they are now. */
  get judge(): PolicyJudge | undefined {
    return this.#options.judge;
  }

  /** The same, for names that aliases lead to. */
  get aliases(): AliasJudge {
    return this.#own.lists;
  }

  #fromCache(bytes: Uint8Array, at: number, tcp: boolean, tick: number, out: Uint8Array, outAt: number): Action {
    const { query, cache } = this;
    this.tag = tagOf(this.place, query.dnssecOk, (query.lowFlags & CD) !== 0);
    const found = cache.find(query, this.tag, tick);
    if (found < 0 || !cache.isFresh(found, tick)) return ACTION.forward;
    const stored = cache.slab.words[(found >>> 2) + WORD.stored] ?? 0;
    const age = Math.floor((tick - stored) / TICKS_PER_SECOND);
    const own = this.#own;
    const verdict = cache.slab.words[(found >>> 2) + WORD.verdict];
    const passes = verdict === NO_ALIAS || verdict === own.lists.passing;
    const replaced = !passes && own.replaces(cache.slab, found, query, this.tag, tick);
    if (!passes && !replaced && isCut(cache.slab, found)) return ACTION.forward;
    if (replaced) this.#write(own.slab, own.at, age, bytes, at, tcp, own.extended, out, outAt);
    else this.#write(cache.slab, found, age, bytes, at, tcp, undefined, out, outAt);
    this.reason = replaced ? own.reason : REASON.cached;
    return cache.wantsRefresh(found, tick) ? ACTION.refresh : ACTION.answer;
  }

  #fromZone(
    zone: LocalZone,
    bytes: Uint8Array,
    from: number,
    tcp: boolean,
    tick: number,
    out: Uint8Array,
    outAt: number,
  ): Action {
    const { query } = this;
    const own = this.#own;
    own.find(query, zone, this.place, tick);
    if (own.leadsOn && (query.flags & RD) !== 0) {
      this.place = this.#claims.placeOf(query); // what is at the end is a route's to say; see Names for the number
      return ACTION.forward;
    }
    this.#write(own.slab, own.at, 0, bytes, from, tcp, undefined, out, outAt);
    this.reason = REASON.local;
    return ACTION.answer;
  }

  /** A list has the name: the answer is ours, and says so. */
  #byPolicy(judge: PolicyJudge, bytes: Uint8Array, at: number, tcp: boolean, out: Uint8Array, outAt: number): Action {
    const limit = tcp ? LARGEST_TCP : udpLimit(this.query);
    const { rcode, records, extended } = judge;
    this.length = this.#writer.records(this.query, bytes, at, rcode, records, extended, limit, out, outAt);
    this.reason = judge.reason;
    return ACTION.answer;
  }

  /** Who may see where names lead and what fails is the operator's affair. */
  #explained(
    explain: (query: Query) => readonly string[],
    bytes: Uint8Array,
    at: number,
    peers: Uint8Array,
    peerAt: number,
    tcp: boolean,
    out: Uint8Array,
    outAt: number,
  ): Action {
    if (!this.#options.admin.allows(peers, peerAt)) {
      return this.#refuse(bytes, at, EXTENDED.prohibited, REASON.explainRefused, out, outAt);
    }
    return this.#made(textAnswer(this.query, explain(this.query)), REASON.explained, bytes, at, tcp, out, outAt);
  }

  #made(
    image: Slab,
    reason: ReasonCode,
    bytes: Uint8Array,
    at: number,
    tcp: boolean,
    out: Uint8Array,
    outAt: number,
  ): Action {
    this.#write(image, 0, 0, bytes, at, tcp, undefined, out, outAt);
    this.reason = reason;
    return ACTION.answer;
  }

  /** Other classes have no data anywhere, CH but a few names. */
  #otherClass(
    bytes: Uint8Array,
    at: number,
    peers: Uint8Array,
    peerAt: number,
    tcp: boolean,
    out: Uint8Array,
    outAt: number,
  ): Action {
    const image = chaosAnswer(this.query, this.#options.identity, this.#options.admin.allows(peers, peerAt));
    if (image === undefined) return this.#refuse(bytes, at, EXTENDED.notSupported, REASON.classRefused, out, outAt);
    return this.#made(image, REASON.identity, bytes, at, tcp, out, outAt);
  }

  #write(
    slab: Slab,
    image: number,
    age: number,
    bytes: Uint8Array,
    at: number,
    tcp: boolean,
    extended: Uint8Array | undefined,
    out: Uint8Array,
    outAt: number,
  ): void {
    const limit = tcp ? LARGEST_TCP : udpLimit(this.query);
    this.length = this.#writer.image(slab, image, this.query, bytes, at, age, extended, limit, out, outAt);
  }

  /** Prepares the cookie of the reply; true when the client has shown one of ours, so that it is who it says. */
  #cookie(bytes: Uint8Array, peers: Uint8Array, peerAt: number): boolean {
    const { cookies, wallSeconds } = this.#options;
    const { query } = this;
    if (query.cookieLength === 0 || !cookies.enabled) return false;
    const now = wallSeconds();
    const valid = cookies.isValid(bytes, query.cookieAt, query.cookieLength, peers, peerAt, now);
    cookies.write(bytes, query.cookieAt, valid, peers, peerAt, now, query.cookie, 0);
    query.cookieReply = true;
    return valid;
  }

  #silent(reason: ReasonCode): Action {
    this.length = 0;
    this.reason = reason;
    return ACTION.silent;
  }

  #refuse(
    bytes: Uint8Array,
    at: number,
    extended: Uint8Array,
    reason: ReasonCode,
    out: Uint8Array,
    outAt: number,
  ): Action {
    this.length = this.#writer.status(this.query, bytes, at, RCODE.REFUSED, extended, out, outAt);
    this.reason = reason;
    return ACTION.answer;
  }

  /** A stranger, or somebody who is made to look like one: the reply is hardly longer than the query. */
  #turnAway(bytes: Uint8Array, at: number, out: Uint8Array, outAt: number): Action {
    this.query.wantsNsid = false;
    return this.#refuse(bytes, at, EXTENDED.prohibited, REASON.clientNotAllowed, out, outAt);
  }

  /** Over its budget: nothing, or now and then an empty answer with TC, with the cookie by which a real client is let in. */
  #limit(limited: Limited, bytes: Uint8Array, at: number, out: Uint8Array, outAt: number): Action {
    if (limited === LIMITED.drop) return this.#silent(REASON.rateLimited);
    this.query.wantsNsid = false;
    this.length = this.#writer.status(this.query, bytes, at, RCODE.NOERROR, undefined, out, outAt);
    out[outAt + AT.flags] = (out[outAt + AT.flags] ?? 0) | TC;
    this.reason = REASON.rateSlipped;
    return ACTION.answer;
  }

  #fault(fault: Fault, bytes: Uint8Array, at: number, out: Uint8Array, outAt: number): Action {
    const { query } = this;
    const { rcode, reason } = told(fault, query);
    // RFC 6891 section 7: an OPT record, as far as it could be read, is answered by one; what it asked for is in doubt.
    if (rcode === RCODE.FORMERR) query.wantsNsid = false;
    this.length = this.#writer.status(query, bytes, at, rcode, undefined, out, outAt);
    this.reason = reason;
    return ACTION.answer;
  }
}
