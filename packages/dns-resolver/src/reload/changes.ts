import type { DnsSettings } from "../config.ts";
import { asked } from "../route-book.ts";
import type { Served } from "../served.ts";

export type Change =
  /** Nothing is changed, and why not, one sentence each. */
  | { readonly kind: "refused"; readonly problems: readonly string[] }
  /** What is different now, one phrase each; empty when the files say what they said. */
  | { readonly kind: "accepted"; readonly changes: readonly string[] };

/** What only a restart changes: sockets and threads, and memory that is taken once. */
const FIXED: readonly (readonly [string, (settings: DnsSettings) => unknown])[] = [
  ["dns.listen", ({ listen }) => listen],
  ["dns.tls.listen", ({ tls }) => tls?.listen],
  ["dns.workers", ({ workers }) => workers],
  ["dns.health", ({ health }) => health],
  ["dns.control", ({ control }) => control],
  ["dns.cache.size", ({ cache }) => cache.size],
  ["dns.cache.file", ({ cache }) => cache.file],
  ["dns.warmFrom.secret", ({ warmFrom }) => warmFrom.secret],
];

/** Whether a running resolver may take `next`, and what it would change. */
export function changeTo(now: Served, next: Served): Change {
  const problems = FIXED.filter(([, of]) => !same(of(now.dns), of(next.dns))).map(
    ([name]) => `${name} cannot be changed while the resolver runs; restart it`,
  );
  if (problems.length > 0) return { kind: "refused", problems };
  const changes = [
    ...routeChanges(now.dns.routes, next.dns.routes),
    ...fileChanges(now, next),
    ...policyChanges(now, next),
  ];
  return { kind: "accepted", changes };
}

type RouteSettings = DnsSettings["routes"][number];

function routeChanges(before: readonly RouteSettings[], after: readonly RouteSettings[]): string[] {
  const known = new Map(before.map((route) => [zoneOf(route), route]));
  const stays = new Set(after.map(zoneOf));
  return [
    ...before.filter((route) => !stays.has(zoneOf(route))).map(({ zone }) => `without route ${zone}`),
    ...after.flatMap((route) => {
      const old = known.get(zoneOf(route));
      if (old === undefined) return [`with route ${route.zone}`];
      if (!same(asked(old), asked(route))) return [`route ${route.zone} by other settings, with an empty cache`];
      return same(old, route) ? [] : [`route ${route.zone} ${route.critical ? "critical" : "not critical any more"}`];
    }),
  ];
}

function zoneOf({ zone }: RouteSettings): string {
  return zone.toLowerCase();
}

/** Files that the settings name: their texts are what counts. */
function fileChanges(now: Served, next: Served): string[] {
  const before = textsOf(now);
  const after = textsOf(next);
  return [
    ...[...before.keys()].filter((file) => !after.has(file)).map((file) => `without ${file}`),
    ...[...after].flatMap(([file, text]) => {
      const old = before.get(file);
      if (old === undefined) return [`with ${file}`];
      return old === text ? [] : [`${file} as it is now`];
    }),
  ];
}

function textsOf({ hosts, zones, policies }: Served): ReadonlyMap<string, string> {
  return new Map([
    ...[...hosts, ...zones].map(({ file, text }): [string, string] => [file, text]),
    ...policies.lists.map(({ file, digest }): [string, string] => [file, digest]),
  ]);
}

function policyChanges({ dns: now, ...before }: Served, { dns: next, ...after }: Served): string[] {
  const different: readonly (readonly [boolean, string])[] = [
    [same(now.allow, next.allow), "another allow list"],
    [same(now.admin, next.admin), "other admin networks"],
    [same(now.limit, next.limit), "another budget of clients"],
    [
      same(
        before.cookieSecrets.map((each) => hex(each)),
        after.cookieSecrets.map((each) => hex(each)),
      ),
      "other cookie secrets",
    ],
    [same(hex(before.siblingSecret), hex(after.siblingSecret)), "another secret of siblings"],
    [same(now.warmFrom.siblings, next.warmFrom.siblings), "other siblings, for the next start"],
    [same(now.policies, next.policies), "other policies, or in another order"],
    [same(now.queryLog, next.queryLog), "another query log"],
    [same(before.identity, after.identity), "another certificate"],
    [same([...before.cas], [...after.cas]), "other certificates of upstreams"],
    [same(times(now.cache), times(next.cache)), "other times of the cache, for answers from now on"],
  ];
  return different.filter(([unchanged]) => !unchanged).map(([, phrase]) => phrase);
}

function times({ maxTtl, negativeTtl, stale }: DnsSettings["cache"]): unknown {
  return [maxTtl, negativeTtl, stale];
}

function hex(secret: Uint8Array = new Uint8Array()): string {
  return Buffer.from(secret).toString("hex");
}

/** Settings have no functions in them, and their order is that of the schema. */
function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
