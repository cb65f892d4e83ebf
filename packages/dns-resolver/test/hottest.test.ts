import { describe, expect, test } from "vitest";
import { Cache } from "../src/cache.ts";
import { MESSAGE_AT, packImage } from "../src/cache/image.ts";
import { HEADER_BYTES } from "../src/wire/header.ts";
import { queryFor, view } from "./fixtures.ts";

/** Octets of an answer; so many fill the cache of 1 MiB. */
const ANSWER = 300;
const FULL = 3_200;

function newCache(): Cache {
  return new Cache({ size: 2 ** 20, staleSeconds: 0, seed: 99 });
}

function store(cache: Cache, ...names: readonly string[]): void {
  for (const name of names) {
    const query = view(queryFor(name));
    const message = new Uint8Array(ANSWER);
    message.set(query.key.subarray(0, query.keyLength), HEADER_BYTES);
    const parts = { message, nameLength: query.nameLength, ttlsAt: [], negative: false };
    cache.store(packImage(parts, 0), query, 0, 0, 3_600);
  }
}

function ask(cache: Cache, ...names: readonly string[]): void {
  for (const name of names) cache.find(view(queryFor(name)), 0, 0);
}

function many(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${kind}${i}.example`);
}

/** The first label of the image's name. */
function nameAt({ slab: { bytes } }: Cache, at: number): string {
  const begin = at + MESSAGE_AT + HEADER_BYTES;
  return Buffer.from(bytes.subarray(begin + 1, begin + 1 + (bytes[begin] ?? 0))).toString();
}

/** All that is found, with something done after so many steps of looking for it. */
function found(cache: Cache, most = 1_000, meanwhile: () => void = () => {}, after = 10): string[] {
  const hottest = cache.hottest(most);
  let steps = 0;
  for (const _ of hottest.walk()) if ((steps += 1) === after) meanwhile();
  return [...hottest.places()].map((at) => nameAt(cache, at));
}

describe("what clients come back for", () => {
  test("is found without what was asked for once, the latest first", () => {
    const cache = newCache();
    store(cache, ...many("once", 20), "a.example", "b.example", "c.example");
    ask(cache, "b.example", "a.example");
    expect(found(cache)).toEqual(["b", "a"]);
  });

  test("of the main ring comes after what is new, and what nobody has asked for since comes last", () => {
    const cache = newCache();
    store(cache, "old.example", "settled.example");
    ask(cache, "old.example", "settled.example");
    store(cache, ...many("once", FULL)); // they have moved on to the main ring
    ask(cache, "old.example");
    store(cache, "new.example");
    ask(cache, "new.example");
    expect(found(cache)).toEqual(["new", "old", "settled"]);
  });

  test("is bounded: the latest of each kind", () => {
    const cache = newCache();
    store(cache, ...many("n", 50));
    ask(cache, ...many("n", 50));
    expect(found(cache, 3)).toEqual(["n49", "n48", "n47"]);
  });

  test.each([1, 40, 90])("is found while the cache is in use, whatever is evicted after step %i", (after) => {
    const cache = newCache();
    store(cache, ...many("hot", 100));
    ask(cache, ...many("hot", 100));
    const all = found(cache, 1_000, () => store(cache, ...many("once", 2 * FULL)), after);
    // They were noted in the one ring, moved on to the other, and stand there: or they were found there.
    expect(all.every((name) => /^hot\d+$/.test(name))).toBe(true);
    expect(new Set(all).size).toBe(all.length);
    expect(found(cache).length).toBeGreaterThanOrEqual(98); // one or two may share a full bucket of the directory
  });

  test("is found behind what is evicted while it is looked for", () => {
    const cache = newCache();
    store(cache, ...many("hot", 300));
    ask(cache, ...many("hot", 300));
    // So many that the first of them, where it looks, move on, and the last do not yet.
    const all = found(cache, 1_000, () => store(cache, ...many("once", 600)), 1);
    const at = cache.find(view(queryFor("hot299.example")), 0, 0);
    expect([cache.isInMain(at), all[0], all.includes("hot0"), all.length]).toEqual([false, "hot299", true, 300]);
  });

  test("has no image that took the place of one that has gone", () => {
    const cache = newCache();
    store(cache, ...many("hot", 100));
    ask(cache, ...many("hot", 100));
    const hottest = cache.hottest(1_000);
    for (const _ of hottest.walk());
    const places = hottest.places();
    const first = places.next().value;
    store(cache, ...many("once", 700)); // more than the probation ring holds, so that they are where the others were
    const rest = [...places].map((at) => nameAt(cache, at));
    expect([typeof first, rest.filter((name) => !/^hot\d+$/.test(name))]).toEqual(["number", []]);
  });

  test("is nothing in an empty cache", () => {
    expect(found(newCache())).toEqual([]);
  });
});

test("a fresh image is known to be there without having been asked for by that", () => {
  const cache = newCache();
  store(cache, "a.example");
  const holds = (name: string, tag: number, tick: number): boolean => cache.holdsFresh(view(queryFor(name)), tag, tick);
  expect([holds("a.example", 0, 0), holds("a.example", 0, 36_000)]).toEqual([true, false]);
  expect([holds("b.example", 0, 0), holds("a.example", 1, 0)]).toEqual([false, false]);
  expect(found(cache)).toEqual([]);
});
