import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@stitch/clock/testing";
import { createLogger } from "@stitch/health";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Cache, tickOf } from "../src/cache.ts";
import { SavedCache, type SavedFor } from "../src/saved/file.ts";
import { AT_ENTRY, checksum, CHECKSUM_BYTES, ENTRY_BYTES } from "../src/saved/layout.ts";
import type { TlsTrust } from "../src/tls/trust.ts";
import { Upstream } from "../src/upstream/upstream.ts";
import { bench, queryFor, view } from "./fixtures.ts";
import { storedFor } from "./stored.ts";

const LIMITS = { maxTtl: 86_400, negativeTtl: 900 };
const LOG = createLogger({ service: "dns", site: "nyc", instance: "nyc-1" }, "silent");
const ALL_TO_FIRST = { placeOf: () => 0 };
const clock = new FakeClock();
let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "stitch-saved-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface RouteOptions {
  readonly port?: number;
  readonly source?: string;
  readonly trust?: TlsTrust;
  readonly limits?: SavedFor["limits"];
}

function servedBy({ port = 53, source, trust, limits = LIMITS }: RouteOptions = {}): SavedFor {
  const upstreams = [new Upstream({ address: "192.0.2.53", port }, source, clock, trust)];
  const route = { zone: ".", name: Uint8Array.of(0), upstreams, inFlight: 0, waiting: 0, crossed: false };
  return { routes: new Map([[0, route]]), limits };
}

function newCache(): Cache {
  return new Cache({ size: 2 ** 20, staleSeconds: 60, seed: 3 });
}

function kept(worker: number, cache: Cache): SavedCache {
  return new SavedCache(join(folder, "state", "cache"), worker, cache, clock, LOG);
}

/** Saves a cache with one answer, of each of these workers. */
function saved(...workers: number[]): void {
  for (const worker of workers) {
    const at = bench([], ["."]);
    storedFor(at, `www${worker}.example`, 3_600, tickOf(clock.now()));
    kept(worker, at.cache).save(servedBy());
  }
}

function has(cache: Cache, name: string): boolean {
  return cache.find(view(queryFor(name)), 0, tickOf(clock.now())) >= 0;
}

describe("the file of a saved cache", () => {
  test("is each worker's own, for its owner's eyes, and used once", async () => {
    saved(0, 1);
    expect(statSync(join(folder, "state", "cache.2")).mode & 0o777).toBe(0o600);
    const cache = newCache();
    expect(await kept(1, cache).restore(servedBy(), ALL_TO_FIRST)).toBe(1);
    expect([has(cache, "www1.example"), has(cache, "www0.example")]).toEqual([true, false]);
    expect([existsSync(join(folder, "state", "cache.1")), existsSync(join(folder, "state", "cache.2"))]).toEqual([
      true,
      false,
    ]);
  });

  test("of the first serves workers that there were none of before, and is left to its own", async () => {
    saved(0);
    const cache = newCache();
    expect(await kept(3, cache).restore(servedBy(), ALL_TO_FIRST)).toBe(1);
    expect(has(cache, "www0.example")).toBe(true);
    expect(existsSync(join(folder, "state", "cache.1"))).toBe(true);
  });

  test.each<[string, RouteOptions]>([
    ["another port", { port: 5_353 }],
    ["another source", { source: "192.0.2.1" }],
    ["TLS", { trust: { name: "dns.example", pins: [], ca: undefined } }],
    ["another cap of TTLs", { limits: { ...LIMITS, maxTtl: 60 } }],
  ])("is not used for a route that is asked by %s now", async (_, options) => {
    saved(0);
    expect(await kept(0, newCache()).restore(servedBy(options), ALL_TO_FIRST)).toBe(0);
  });

  // A path that names something else must not be read into memory, nor a start wait for it.
  test.each([
    [60, 1],
    [64, 0],
  ])("of some %i MiB has %i answers for a start: more than 64 are not read", async (size, taken) => {
    saved(0);
    const path = join(folder, "state", "cache.1");
    const entry = Buffer.alloc(ENTRY_BYTES + 65_535); // no answer, but as long as one may be
    entry.writeUInt16BE(65_535, AT_ENTRY.length);
    const fill = Array.from({ length: (size * 2 ** 20) / 2 ** 16 }, () => entry);
    const body = Buffer.concat([readFileSync(path).subarray(0, -CHECKSUM_BYTES), ...fill]);
    writeFileSync(path, Buffer.concat([body, checksum(body)]));
    expect(await kept(0, newCache()).restore(servedBy(), ALL_TO_FIRST)).toBe(taken);
    expect(existsSync(path)).toBe(false);
  });

  test("that cannot be written or read costs a line in the log, not the stop or the start", async () => {
    writeFileSync(join(folder, "state"), "a file where the folder should be");
    saved(0);
    expect(await kept(0, newCache()).restore(servedBy(), ALL_TO_FIRST)).toBe(0);
    expect(readFileSync(join(folder, "state"), "utf8")).toContain("a file");
  });

  test("without a path nothing is kept", async () => {
    const none = new SavedCache(undefined, 0, newCache(), clock, LOG);
    none.save(servedBy());
    expect(await none.restore(servedBy(), ALL_TO_FIRST)).toBe(0);
  });
});
