import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemClock, type Clock } from "@stitch/clock";
import { SiteDocument } from "@stitch/config";
import { createLogger, Outcomes } from "@stitch/health";
import { afterEach, beforeEach } from "vitest";
import { Cache } from "../src/cache.ts";
import { REASONS, type Reason } from "../src/reasons.ts";
import { Resolver } from "../src/resolver.ts";
import { SavedCache } from "../src/saved/file.ts";
import { readServed, type Served } from "../src/served.ts";
import type { DnsServer } from "../src/server.ts";
import { ServingBuilder, type Serving } from "../src/serving.ts";
import { atOnce, sliced } from "../src/sliced.ts";
import { respond, type FakeUpstream } from "./fake-upstream.ts";
import { decoded, queryFor, type QueryOptions } from "./fixtures.ts";
import { askUdp, openServer, upstream } from "./rig.ts";

export const SILENT = createLogger({ service: "dns", site: "nyc", instance: "nyc-1" }, "silent");
let folder = "";

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "stitch-site-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A file beside the site's. */
export function beside(name: string): string {
  return join(folder, name);
}

/** Writes such a file. */
export function put(name: string, text: string): void {
  writeFileSync(beside(name), text);
}

/** Writes the site's file; `dns` are the lines of its section, each indented by two. */
export function write(dns: string, head = "site: nyc\ninstance: nyc-1"): string {
  put("site.yaml", `${head}\ndns:\n  listen: ["127.88.0.1:5300"]\n${dns}`);
  return beside("site.yaml");
}

export interface Site {
  readonly resolver: Resolver;
  readonly server: DnsServer;
  readonly saved: SavedCache;
  now(): Serving;
  /** Serves what the site's file says now. */
  adopt(): Promise<void>;
  ask(name: string, options?: QueryOptions): Promise<Buffer>;
  count(reason: Reason): number;
}

/** A resolver over sockets that serves the site's file, with what `saved` of a former one has left. */
export async function serving(file: string, clock: Clock = new SystemClock()): Promise<Site> {
  const builder = new ServingBuilder(clock, 1, 1);
  const read = (): Served => atOnce(readServed(SiteDocument.load(file), 1));
  const first = atOnce(builder.building(read()));
  const cache = new Cache({ size: 2 ** 20, staleSeconds: 3_600, seed: 1 });
  const resolver = new Resolver({ ...first, wallSeconds: () => 0, cache, seed: 1, identity: "nyc/nyc-1" });
  const saved = new SavedCache(beside("cache"), 0, cache, clock, SILENT);
  await saved.restore(first, resolver.claims);
  let now = first;
  const outcomes = new Outcomes(new Float64Array(REASONS.length));
  const forwarding = { routes: first.routes, ...first.limits, onChange: () => {} };
  const server = await openServer(undefined, { clock, resolver, outcomes, forwarding });
  const port = server.sockets[0]?.local.port ?? 0;
  return {
    resolver,
    server,
    saved,
    now: () => now,
    adopt: async () => server.adopt((now = await sliced(builder.building(read()), clock))),
    ask: (name, options) => askUdp(port, queryFor(name, options)),
    count: (reason) => outcomes.counts[REASONS.indexOf(reason)] ?? 0,
  };
}

export function answering(data: string): Promise<FakeUpstream> {
  return upstream({ udp: (query, send) => send(respond(query, { answers: [addressOf(query, data)] })) });
}

export function addressOf(query: Buffer, data: string): { type: "A"; name: string; ttl: number; data: string } {
  return { type: "A", name: decoded(query).questions?.[0]?.name ?? ".", ttl: 60, data };
}

export function routes(root: FakeUpstream, corp: FakeUpstream): string {
  const [rootAt, corpAt] = [root, corp].map(({ port }) => `127.88.0.2:${port}`);
  return `  routes: [{ zone: ".", upstreams: ["${rootAt}"] }, { zone: corp.example, upstreams: ["${corpAt}"] }]\n`;
}

export const CORP = "$ORIGIN corp.example.\n$TTL 60\n@ SOA ns root 1 2 3 4 5\n";

export interface Aliasing extends Site {
  readonly whole: FakeUpstream;
  readonly file: string;
  /** Lines of the file that name the upstream. */
  readonly outside: string;
}

/** A site whose only upstream has an alias to www.corp.example for every name, and an address for that. */
export async function aliasing(): Promise<Aliasing> {
  const whole = await upstream({
    udp: (query, send) => {
      const name = decoded(query).questions?.[0]?.name ?? ".";
      const alias = { type: "CNAME", name, ttl: 60, data: "www.corp.example" } as const;
      send(respond(query, { answers: [alias, { type: "A", name: alias.data, ttl: 60, data: "203.0.113.9" }] }));
    },
  });
  const outside = `  routes: [{ zone: ".", upstreams: ["127.88.0.2:${whole.port}"] }]\n`;
  const file = write(outside);
  return { ...(await serving(file)), whole, file, outside };
}
