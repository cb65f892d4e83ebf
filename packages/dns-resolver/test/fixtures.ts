import { randomBytes } from "node:crypto";
import dnsPacket from "dns-packet";
import type { Prefix } from "@stitch/config";
import { AllowList } from "../src/allow-list.ts";
import { Cache } from "../src/cache.ts";
import { Cookies } from "../src/cookies.ts";
import { ClientBudget } from "../src/client-budget.ts";
import { builtInZones } from "../src/local/built-in.ts";
import type { LocalZone } from "../src/local/local-zone.ts";
import { parseZone } from "../src/local/zone-file.ts";
import type { Place, ResolverOptions } from "../src/resolver-options.ts";
import { ACTION, Resolver } from "../src/resolver.ts";
import type { Names } from "../src/upstream/flight.ts";
import { parseName } from "../src/wire/name.ts";
import { decodeQuery, Query } from "../src/wire/query.ts";

export const NO_COOKIES = new Cookies([]);
export const NO_LIMIT = new ClientBudget({ perSecond: 0, slip: 0, exempt: [], seed: 1 });

/** Of a forwarder whose answers have no aliases. */
export const NO_NAMES: Names = { placeOf: () => -1, localImage: () => undefined };

export interface QueryOptions {
  readonly id?: number;
  readonly type?: string;
  readonly class?: string;
  readonly flags?: number;
  readonly edns?: { readonly size?: number; readonly dnssecOk?: boolean; readonly nsid?: boolean };
}

/** A query as a client would write it, by the oracle's encoder. */
export function queryFor(name: string, options: QueryOptions = {}): Uint8Array {
  const { id = 0x1234, type = "A", flags = dnsPacket.RECURSION_DESIRED, edns } = options;
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: edns?.size ?? 1_232,
    flags: edns?.dnssecOk === true ? dnsPacket.DNSSEC_OK : 0,
    options: edns?.nsid === true ? [{ code: 3, data: Buffer.alloc(0) }] : [],
  };
  return dnsPacket.encode({
    type: "query",
    id,
    flags,
    questions: [{ type: type as "A", name, class: (options.class ?? "IN") as "IN" }],
    additionals: edns === undefined ? [] : [opt as never],
  });
}

export function withCookie(data: Buffer): Uint8Array {
  const options = [{ code: 10, data }];
  const opt = { type: "OPT", name: ".", udpPayloadSize: 1_232, flags: 0, options };
  const questions = [{ type: "A", name: "localhost" }] as const;
  return dnsPacket.encode({ type: "query", id: 1, questions: [...questions], additionals: [opt as never] });
}

export function cookieOf(reply: Uint8Array | undefined): Buffer | undefined {
  const [opt] = decoded(reply ?? new Uint8Array()).additionals ?? [];
  const options = (opt as unknown as { options?: { code: number; data: Buffer }[] } | undefined)?.options ?? [];
  return options.find(({ code }) => code === 10)?.data;
}

export function decoded(bytes: Uint8Array): dnsPacket.DecodedPacket & { readonly rcode: string } {
  return dnsPacket.decode(Buffer.from(bytes)) as dnsPacket.DecodedPacket & { readonly rcode: string };
}

/** Data of the answers, as text. */
export function dataOf(bytes: Uint8Array): string[] {
  return (decoded(bytes).answers ?? []).map((record) => ("data" in record ? String(record.data) : ""));
}

export function ttlsOf(bytes: Uint8Array): number[] {
  return (decoded(bytes).answers ?? []).map((record) => ("ttl" in record ? (record.ttl ?? 0) : -1));
}

/** The query as the datagram path decodes it. */
export function view(bytes: Uint8Array): Query {
  const query = new Query();
  decodeQuery(bytes, 0, bytes.length, query);
  return query;
}

/** An endpoint record of a client. */
export function client(...address: number[]): Uint8Array {
  return Uint8Array.from([4, 0, 0, 53, ...address, ...new Uint8Array(16)]);
}

export const LOOPBACK = client(127, 0, 0, 1);

export function zoneFrom(text: string): LocalZone {
  const { zone, problems } = parseZone(text);
  if (zone === undefined) throw new Error(JSON.stringify(problems));
  return zone;
}

export interface Bench {
  readonly resolver: Resolver;
  readonly cache: Cache;
  readonly out: Uint8Array;
  /** Decides one query from loopback; the reply, or undefined when there is none now. */
  ask(query: Uint8Array, options?: { tick?: number; tcp?: boolean; peer?: Uint8Array }): Uint8Array | undefined;
}

export interface BenchOptions extends Partial<Pick<ResolverOptions, "budget" | "cookies" | "judge">> {
  readonly allow?: readonly Prefix[];
}

/** A resolver over `zones`, with routes for `routes`, without any socket. */
export function bench(
  zones: readonly LocalZone[] = [],
  routes: readonly string[] = [],
  { allow = [], budget = NO_LIMIT, cookies = NO_COOKIES, judge }: BenchOptions = {},
): Bench {
  const seed = randomBytes(4).readUInt32BE();
  const all = [...zones, ...builtInZones()];
  const places: Place[] = [
    ...routes.map((_, route) => ({ kind: "route", route }) as const),
    ...all.map((zone) => ({ kind: "zone", zone }) as const),
  ];
  const names = [...routes.map((zone) => parseName(zone) ?? new Uint8Array()), ...all.map(({ apex }) => apex)];
  const suffixes = names.map((name, place) => ({ name, place, exact: false }));
  const cache = new Cache({ size: 2 ** 20, staleSeconds: 60, seed });
  const resolver = new Resolver({
    admin: new AllowList([]),
    allow: new AllowList(allow),
    budget,
    cookies,
    judge,
    wallSeconds: () => 0,
    places,
    suffixes,
    cache,
    seed,
    identity: "nyc/nyc-1",
  });
  const out = new Uint8Array(65_535);
  return {
    resolver,
    cache,
    out,
    ask(query, { tick = 0, tcp = false, peer = LOOPBACK } = {}) {
      const action = resolver.decide(query, 0, query.length, peer, 0, tcp, tick, out, 0);
      return action === ACTION.answer || action === ACTION.refresh ? out.slice(0, resolver.length) : undefined;
    },
  };
}

/** Of the zone "example", as the authority of a "no" that is good for so many seconds. */
export function soaFor(seconds: number) {
  return {
    type: "SOA",
    name: "example",
    ttl: seconds,
    data: { mname: "ns.example", rname: "x.example", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: seconds },
  } as const;
}
