import { describe, expect, test } from "vitest";
import { Cache } from "../src/cache.ts";
import { packImage } from "../src/cache/image.ts";
import { queryFor, view } from "./fixtures.ts";

const SIZE = 2 ** 20;
/** Octets of an answer; with smaller ones the directory would be full before the memory is. */
const ANSWER = 300;
/** So many fill the whole cache, probation and main. */
const FULL = 3_200;

function newCache(): Cache {
  return new Cache({ size: SIZE, staleSeconds: 0, seed: 99 });
}

/** Stores an answer of `size` octets for `name`; returns where it is. */
function store(cache: Cache, name: string, size = ANSWER): number {
  const query = view(queryFor(name));
  const message = new Uint8Array(size);
  message.set(query.key.subarray(0, query.keyLength), 12);
  const parts = { message, nameLength: query.nameLength, ttlsAt: [], negative: false };
  return cache.store(packImage(parts, 0), query, 0, 0, 3_600);
}

/** How many of these are there; a client has then asked for them. */
function ask(cache: Cache, wanted: readonly string[]): number {
  return wanted.filter((name) => cache.find(view(queryFor(name)), 0, 0) >= 0).length;
}

function names(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${kind}${i}.example`);
}

/** They are stored, asked for, and moved on by names that nobody asks for again. */
function settle(cache: Cache, kind: string, count: number): readonly string[] {
  const all = names(kind, count);
  for (const name of all) {
    store(cache, name);
    ask(cache, [name]);
  }
  for (const name of names(`flood-${kind}`, FULL)) store(cache, name);
  return all;
}

describe("an image that clients came back for once", () => {
  test("leaves again when they do not any more, and those in use stay", () => {
    const cache = newCache();
    const [old, live] = [settle(cache, "old", 400), settle(cache, "live", 200)];
    for (let round = 0; round < 40; round += 1) {
      ask(cache, live);
      for (const name of names(`new${round}-`, FULL / 20)) {
        store(cache, name);
        ask(cache, [name]);
      }
    }
    // They lie side by side: eight are spared for each that makes room, and that one is lost.
    expect(ask(cache, live)).toBeGreaterThanOrEqual(160);
    expect(ask(cache, old)).toBeLessThanOrEqual(10);
  });
});

describe("a new answer to a question", () => {
  test("begins anew, as those asked for once, when nobody came back for the old one", () => {
    const cache = newCache();
    store(cache, "www.example");
    expect(cache.isInMain(store(cache, "www.example"))).toBe(false);
  });

  test("keeps the place that the old one had earned: by being asked for, or before that", () => {
    const cache = newCache();
    store(cache, "www.example");
    ask(cache, ["www.example"]);
    expect(cache.isInMain(store(cache, "www.example"))).toBe(true);
    settle(cache, "settled", 1);
    expect(cache.isInMain(store(cache, "settled0.example"))).toBe(true);
  });
});

// A client who has the whole cache in use, and one who asks for large answers: each store would turn over all of it.
describe("what one answer costs others", () => {
  test.each([
    ["a small one", ANSWER],
    ["the largest", 65_000],
  ])("is bounded when every image is in use: %s", (_, size) => {
    const cache = newCache();
    const all = names("n", 2 * FULL);
    for (const name of all) {
      store(cache, name);
      ask(cache, [name]);
    }
    ask(cache, all);
    const { spared, evicted } = { ...cache.counters };
    expect(store(cache, "new.example", size)).toBeGreaterThanOrEqual(0);
    expect(cache.counters.spared - spared).toBeLessThanOrEqual(8 + 8 * 8);
    expect(cache.counters.evicted - evicted).toBeLessThanOrEqual(2 * Math.ceil(size / ANSWER) + 9);
    expect(cache.usedBytes).toBeLessThanOrEqual(SIZE);
  });
});
