import { elapsed, formatDuration, seconds, type Clock, type Duration } from "@stitch/clock";
import { formatEndpoint } from "@stitch/linux-io";
import { tagOf, TICKS_PER_SECOND, WORD } from "./cache/image.ts";
import { tickOf } from "./cache.ts";
import { VERDICT } from "./policy/policy-judge.ts";
import type { Resolver } from "./resolver.ts";
import type { Forwarder } from "./upstream/forwarder.ts";
import { allDown, type Upstream } from "./upstream/upstream.ts";
import { formatName, parseName } from "./wire/name.ts";
import { sameBytes } from "./wire/octets.ts";
import { adoptName, Query } from "./wire/query.ts";
import { CLASS, TYPE } from "./wire/registry.ts";

/** `_explain.www.corp.example` asks about `www.corp.example`. */
const LABEL = (parseName("_explain") ?? new Uint8Array()).subarray(0, 9);
/** What clients ask for; of these the cache is looked at. */
const TYPES = ["A", "AAAA"] as const;

/** Whether the query is about a name instead of for it. One compare for all others. */
export function asksToExplain({ key, nameLength }: Query): boolean {
  return key[0] === LABEL[0] && nameLength > LABEL.length && sameBytes(key, 0, LABEL, 0, LABEL.length);
}

export interface ExplainerOptions {
  readonly resolver: Resolver;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  /** Who answers: `nyc/nyc-1, worker 1 of 2`. Every worker has a cache and upstreams of its own. */
  readonly self: string;
}

/** Says in lines why a name is answered as it is, now and by this worker. */
export class Explainer {
  readonly #options: ExplainerOptions;
  readonly #query = new Query();

  constructor(options: ExplainerOptions) {
    this.#options = options;
  }

  /** About the name of `asked` without its first label. */
  lines(asked: Query): string[] {
    const { resolver, forwarder, self } = this.#options;
    const name = asked.key.slice(LABEL.length, asked.nameLength);
    adoptName(this.#query, name, TYPE.A, CLASS.IN);
    const place = resolver.claims.at(resolver.claims.indexOf(this.#query));
    const text = formatName(name);
    if (place === undefined) return [self, `no route and no local data for ${text}`];
    if (place.kind === "zone") return [self, `${text} is answered by local data, ${formatName(place.zone.apex)}`];
    const { judge } = resolver;
    if (judge?.judge(this.#query) === VERDICT.answered) return [self, `${text} is answered by ${judge.text}`];
    const route = forwarder.routeAt(place.route);
    if (route === undefined) return [self, `${text} has no route any more`];
    const state = allDown(route) ? ", all upstreams down" : "";
    return [
      self,
      `${text} belongs to route ${route.zone}, ${route.inFlight} questions on their way${state}`,
      ...route.upstreams.map((upstream) => this.#upstream(upstream)),
      ...TYPES.map((type) => this.#cached(name, type, place.route)),
    ];
  }

  #upstream({ target, source, down, edns, lastFailure, looping }: Upstream): string {
    const state = looping ? "out, because it forwards to us what we ask it (a loop)" : down ? "down" : "up";
    const plain = edns.isSpoken(this.#options.clock.now()) ? "" : ", asked without EDNS";
    const from = source === undefined ? "" : ` from ${source}`;
    const failed = lastFailure === undefined ? "" : `, ${this.#since(lastFailure.at)} ago it ${lastFailure.why}`;
    return `upstream ${formatEndpoint(target)}${from} is ${state}${plain}${failed}`;
  }

  #cached(name: Uint8Array, type: (typeof TYPES)[number], route: number): string {
    const { resolver, forwarder, clock } = this.#options;
    const { cache } = resolver;
    adoptName(this.#query, name, TYPE[type], CLASS.IN);
    const tag = tagOf(route, false, false);
    const tick = tickOf(clock.now());
    const failure = forwarder.failureOf(this.#query, tag);
    const failed =
      failure === undefined ? "" : `; not asked again yet: ${Buffer.from(failure.subarray(2)).toString("latin1")}`;
    const at = cache.find(this.#query, tag, tick);
    if (at < 0) return `${type}: not in the cache${failed}`;
    const word = (index: number): number => cache.slab.words[(at >>> 2) + index] ?? 0;
    const age = ticks(tick - word(WORD.stored));
    const left = word(WORD.expires) - tick;
    const life = left > 0 ? `${ticks(left)} left` : `expired ${ticks(-left)} ago, served stale when upstreams fail`;
    const alias = resolver.aliases.textOf(cache.slab, at);
    return `${type}: in the cache for ${age}, ${life}${failed}${alias === undefined ? "" : `; ${alias}`}`;
  }

  #since(at: Parameters<typeof elapsed>[0]): string {
    return rounded(elapsed(at, this.#options.clock.now()));
  }
}

function ticks(count: number): string {
  return rounded(seconds(count / TICKS_PER_SECOND));
}

function rounded(duration: Duration): string {
  return formatDuration(seconds(Math.floor(duration / 1_000)));
}
