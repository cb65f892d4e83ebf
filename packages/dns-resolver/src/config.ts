import { isIPv6 } from "node:net";
import { dirname, resolve } from "node:path";
import { days, hours, minutes, seconds } from "@stitch/clock";
import {
  byteSize,
  ConfigError,
  duration,
  hostPort,
  ipAddress,
  parsed,
  prefix,
  section,
  workerCount,
  type ByteSize,
  type HostPort,
  type Problem,
  type SiteDocument,
} from "@stitch/config";
import { formatEndpoint, isWildcard } from "@stitch/linux-io";
import { z } from "zod";
import { ALWAYS_ALLOWED } from "./allow-list.ts";
import { INSIDE } from "./inside.ts";
import { SMALLEST_CACHE } from "./cache.ts";
import { checkSiblings } from "./sibling/check-siblings.ts";
import { pin, TLS_PORT, unproven, upstreamAddress } from "./upstream-address.ts";
import { lowerName, parseName } from "./wire/name.ts";

/** Slab offsets are 32-bit; and no site needs more. */
const LARGEST_CACHE = 3 * 2 ** 30;

function zoneName() {
  return parsed("a zone such as corp.example, or . for everything", (text) =>
    parseName(text) === undefined ? undefined : text,
  );
}

function filePath() {
  return parsed("a path of a file", (text) => (text === "" ? undefined : text));
}

/** How upstreams asked over TLS prove who they are. */
const routeTlsSection = section({
  /** Certificates in PEM, instead of those that Node brings (not the system's). */
  ca: filePath().optional(),
  /** Keys that are enough, whoever has signed them. */
  pins: z.array(pin()).max(16).default([]),
});

const routeSection = section({
  /** Everything at and below this name that no longer zone claims. */
  zone: zoneName(),
  /** Asked in this order; port 53 unless another is written. */
  upstreams: z.array(upstreamAddress()).min(1),
  tls: routeTlsSection.prefault({}),
  /** Own address to ask from. */
  source: ipAddress().optional(),
  /** Whether clients had better go to another site while no upstream of it answers. */
  critical: z.boolean().default(true),
});

const localSection = section({
  hosts: z.array(filePath()).default([]),
  zones: z.array(filePath()).default([]),
});

/** Lists that decide about names before a route is asked; the first that has a name wins. */
const policySection = section({
  file: filePath(),
  /** A hosts file, a domain a line, or a response policy zone. */
  kind: z.enum(["hosts", "domains", "rpz"]),
  /** What the client is told of the reason (RFC 8914): the operator's own wish, or the client's. */
  because: z.enum(["blocked", "filtered"]).default("blocked"),
});
/** Entries have one octet for the number of their list. */
const MOST_POLICIES = 64;

/** They share the 2 s that a start waits for them. */
const MOST_SIBLINGS = 8;

const cacheSection = section({
  /** Bytes in all. */
  size: byteSize().default((64 * 2 ** 20) as ByteSize),
  maxTtl: duration({ min: seconds(1), max: days(7) }).default(days(1)),
  /** Cap of "no such name" (RFC 2308 section 5). */
  negativeTtl: duration({ min: seconds(0), max: hours(3) }).default(minutes(15)),
  /** How long after expiry an answer may still be served when upstreams fail (RFC 8767); 0s never. */
  stale: duration({ max: days(7) }).default(hours(24)),
  /** Where the cache is kept from a stop to the next start, one file a worker. */
  file: filePath().optional(),
});

/** A start takes over from another site what clients there come back for. */
const warmFromSection = section({
  /** Where their `health` listens; asked in this order. */
  siblings: z.array(hostPort()).max(MOST_SIBLINGS).default([]),
  /** File with 64 hexadecimal digits; every site has the same. With it this one answers others. */
  secret: filePath().optional(),
});

/** Twenty times this many cached answers, or as many questions upstream, for the /24 or /56 of a client. */
const limitSection = section({
  /** Cost per second of one client network over UDP: 1 an answer, 20 a question upstream; 0 for no limit. */
  perNetwork: z.number().int().min(0).max(1e9).default(50_000),
  /** Of what is over it, one in so many is answered with TC; 0 for none. */
  slip: z.number().int().min(0).max(100).default(2),
  /** Networks without a limit. */
  exempt: prefix()
    .array()
    .default([...ALWAYS_ALLOWED]),
});

const cookiesSection = section({
  /** Files with 32 hexadecimal digits each; the first makes cookies, all recognise them. Every site has the same. */
  secrets: z.array(filePath()).max(4).default([]),
});

/** Queries that are written to the log. */
const queryLogSection = section({
  /** One in so many; 0: none but the failed ones. */
  every: z.number().int().min(0).max(1e9).default(1_000),
  /** And every one that got SERVFAIL. */
  errors: z.boolean().default(true),
  /** Lines a second, at most. */
  perSecond: z.number().int().min(1).max(10_000).default(100),
});

/** DNS over TLS for clients (RFC 7858). */
const tlsSection = section({
  listen: z.array(hostPort(TLS_PORT)).min(1),
  /** Files in PEM: the certificate with its chain, and its key. */
  cert: filePath(),
  key: filePath(),
});

/** The `dns:` section of site.yaml. */
export const dnsSection = section({
  /** UDP and TCP on each. */
  listen: z.array(hostPort()).min(1),
  tls: tlsSection.optional(),
  /** Threads that serve, each with its share of the cache and of the limits. */
  workers: workerCount().default(1),
  health: hostPort().default({ address: "127.0.0.1", port: 8_153 }),
  /** A Unix socket for orders to the running resolver. */
  control: filePath().optional(),
  allow: prefix()
    .array()
    .default([...INSIDE]),
  /** Who may ask for `_explain.NAME`; this machine always may. */
  admin: prefix().array().default([]),
  queryLog: queryLogSection.optional(),
  limit: limitSection.prefault({}),
  cookies: cookiesSection.prefault({}),
  routes: z.array(routeSection).default([]),
  local: localSection.prefault({}),
  policies: z.array(policySection).max(MOST_POLICIES).default([]),
  cache: cacheSection.prefault({}),
  warmFrom: warmFromSection.prefault({}),
});

export type DnsSettings = z.infer<typeof dnsSection>;

/** Reads and checks the section. Throws ConfigError with every problem found. */
export function dnsConfig(document: SiteDocument): DnsSettings {
  const settings = document.section("dns", dnsSection);
  const problems = checkDns(document, settings);
  if (problems.length > 0) throw new ConfigError(document.file, problems);
  return settings;
}

/** A path in the file is relative to the file. */
export function localPath(document: SiteDocument, file: string): string {
  return resolve(dirname(document.file), file);
}

export type ProblemAt = (path: readonly PropertyKey[], message: string) => Problem;

/** What only several settings together, or their meaning, show to be wrong. */
export function checkDns(document: SiteDocument, settings: DnsSettings): Problem[] {
  const at: ProblemAt = (path, message) => document.problemAt(["dns", ...path], message);
  const problems: Problem[] = [];
  const listen = new Set<string>();
  const places = [
    ...settings.listen.map((endpoint, i) => ({ endpoint, path: ["listen", i] })),
    ...(settings.tls?.listen ?? []).map((endpoint, i) => ({ endpoint, path: ["tls", "listen", i] })),
  ];
  for (const { endpoint, path } of places) {
    const text = formatEndpoint(endpoint);
    if (endpoint.port !== 0 && listen.has(text)) problems.push(at(path, `${text} is listed twice`));
    listen.add(text);
    if (isWildcard(endpoint.address)) {
      const message = `${text} is every address: name the VIP, so that answers leave from the address that was asked`;
      problems.push(at(path, message));
    }
  }
  if (settings.cache.size < SMALLEST_CACHE * settings.workers) {
    const each = settings.workers === 1 ? "" : ` for each of ${settings.workers} workers`;
    problems.push(at(["cache", "size"], `is less than 1MiB${each}`));
  }
  if (settings.cache.size > LARGEST_CACHE) problems.push(at(["cache", "size"], "is more than 3GiB"));
  return [...problems, ...checkSiblings(settings, at), ...checkRoutes(settings, at)];
}

function checkRoutes({ routes, listen: plain, tls: secure }: DnsSettings, at: ProblemAt): Problem[] {
  const problems: Problem[] = [];
  const zones = new Map<string, number>();
  const listen = [...plain, ...(secure?.listen ?? [])];
  for (const [i, { zone, upstreams, source, tls }] of routes.entries()) {
    const key = Buffer.from(lowerName(parseName(zone) ?? new Uint8Array())).toString("latin1");
    const first = zones.get(key);
    if (first === undefined) zones.set(key, i);
    else
      problems.push(
        at(["routes", i, "zone"], `${zone} has a route already, routes[${first}]: put the upstreams there`),
      );
    if (source !== undefined && listen.some(({ address }) => address === source)) {
      const message = `${source} is an address that this resolver serves on; at another site the answer would find that site: name this machine's own address`;
      problems.push(at(["routes", i, "source"], message));
    }
    if (zone.startsWith("*")) {
      problems.push(at(["routes", i, "zone"], `${zone}: a route covers everything below its zone; leave out the "*."`));
    }
    const asked = upstreams.map(formatEndpoint);
    for (const [j, upstream] of upstreams.entries()) {
      const twice = asked.indexOf(formatEndpoint(upstream)) < j ? `${asked[j]} is listed twice` : undefined;
      const message = twice ?? wrongUpstream(upstream, source, listen) ?? unproven(upstream, tls.pins);
      if (message !== undefined) problems.push(at(["routes", i, "upstreams", j], message));
    }
  }
  return problems;
}

function wrongUpstream(
  upstream: HostPort,
  source: string | undefined,
  listen: readonly HostPort[],
): string | undefined {
  const text = formatEndpoint(upstream);
  if (listen.some(({ address, port }) => address === upstream.address && port === upstream.port)) {
    return `${text} is this resolver itself: questions would go round in a loop`;
  }
  if (isWildcard(upstream.address)) return `${text} is every address: name the server to ask`;
  if (upstream.port === 0) return `${text} has port 0`;
  if (source === undefined || isIPv6(source) === isIPv6(upstream.address)) return undefined;
  return `${text} and source ${source} are not of the same family (IPv4, IPv6)`;
}
