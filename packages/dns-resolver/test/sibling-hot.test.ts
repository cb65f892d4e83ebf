import { hours, milliseconds, minutes, seconds, type Duration, type Instant } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";
import { tickOf, type Cache } from "../src/cache.ts";
import { WORD } from "../src/cache/image.ts";
import { CHECKSUM_BYTES } from "../src/saved/layout.ts";
import type { SavedFor } from "../src/saved/file.ts";
import { saveCache } from "../src/saved/save.ts";
import { HotCache, type HotBounds, type Taken } from "../src/sibling/hot-cache.ts";
import { joined, parted } from "../src/sibling/parts.ts";
import { Upstream, type Route } from "../src/upstream/upstream.ts";
import { parseName } from "../src/wire/name.ts";
import type { Query } from "../src/wire/query.ts";
import { queryFor, view } from "./fixtures.ts";
import { cacheOf, keep, left, ROOT, type Kept } from "./saved-rig.ts";

const LIMITS = { maxTtl: 86_400, negativeTtl: 900 };
const BOUNDS: HotBounds = { bytes: 2 ** 20, answers: 1_000 };

function route(zone: string, upstream: string): Route {
  const upstreams = [new Upstream({ address: upstream, port: 53 }, undefined, new FakeClock())];
  return { zone, name: parseName(zone) ?? new Uint8Array(), upstreams, inFlight: 0, waiting: 0 };
}

/** Time passes whenever somebody looks. */
class SlowClock extends FakeClock {
  readonly #look: Duration;

  constructor(look: Duration) {
    super();
    this.#look = look;
  }

  override now(): Instant {
    this.advance(this.#look);
    return super.now();
  }
}

/** One site: its routes by number, its cache, its clocks. */
class Side {
  readonly clock: FakeClock;
  readonly cache: Cache;
  readonly serving: SavedFor;
  readonly hot: HotCache;
  /** What answers for names below corp. */
  corp = -1;

  constructor(
    routes: ReadonlyMap<number, Route>,
    { wall, limits = LIMITS, size }: { wall?: number; limits?: SavedFor["limits"]; size?: number } = {},
  ) {
    this.clock = new FakeClock(wall);
    this.cache = cacheOf(size);
    this.serving = { routes, limits };
    this.hot = new HotCache(this.cache, this.clock);
    for (const [number, { zone }] of routes) if (zone === "corp") this.corp = number;
  }

  /** Has it in the cache; clients came back for it. */
  has(name: string, kept?: Kept): void {
    keep(this.cache, this.clock, name, kept);
    left(this.cache, this.clock, name, kept?.tag);
  }

  left(name: string, tag?: number): number | undefined {
    return left(this.cache, this.clock, name, tag);
  }

  async part(bounds = BOUNDS): Promise<Uint8Array> {
    return this.hot.give(this.serving, bounds);
  }

  async take(bytes: Uint8Array, age: Duration = seconds(0)): Promise<Taken> {
    const placeOf = (query: Query): number => (isCorp(query) && this.corp >= 0 ? this.corp : 0);
    return this.hot.take(Buffer.from(bytes), age, this.serving, { placeOf });
  }
}

function isCorp(query: Query): boolean {
  return Buffer.from(query.key).includes("\u0004corp\u0000");
}

const everything = (): Map<number, Route> => new Map([[0, route(".", "192.0.2.1")]]);
const withCorp = (corp: number): Map<number, Route> =>
  new Map([
    [0, route(".", "192.0.2.2")],
    [corp, route("corp", "192.0.2.3")],
  ]);

describe("warm start from a sibling", () => {
  test("has what its clients come back for, older by the time since it was asked, whatever the two clocks say", async () => {
    const a = new Side(everything(), { wall: Date.UTC(2031, 0, 1) * 1_000 });
    a.clock.advance(hours(7));
    a.has("www.example", { ttl: 3_600 });
    keep(a.cache, a.clock, "once.example");
    a.clock.advance(minutes(10));
    const b = new Side(everything());
    expect(await b.take(joined([await a.part()]), milliseconds(1_500))).toEqual({ taken: 1, dropped: 0 });
    expect([b.left("www.example"), b.left("once.example")]).toEqual([3_600 - 600 - 1.5, undefined]);
  });

  test("gives no stale answers, none that several routes made, and keeps DO and CD apart", async () => {
    const a = new Side(everything());
    a.has("short.example", { ttl: 60 });
    a.has("spliced.example", { spliced: true });
    a.has("signed.example", { tag: 3 });
    a.clock.advance(seconds(60));
    const b = new Side(everything());
    expect(await b.take(joined([await a.part()]))).toEqual({ taken: 1, dropped: 0 });
    expect([b.left("signed.example", 3), b.left("signed.example")]).toEqual([3_540, undefined]);
  });

  test("knows routes by their zone, by whatever upstreams and under whatever number", async () => {
    const a = new Side(withCorp(1));
    a.has("www.example");
    a.has("app.corp", { tag: 1 << 2 });
    const b = new Side(withCorp(9));
    expect(await b.take(joined([await a.part()]))).toEqual({ taken: 2, dropped: 0 });
    expect([b.left("www.example"), b.left("app.corp", 9 << 2)]).toEqual([3_600, 3_600]);
  });

  test("leaves out what belongs to a zone that is not here, and what belongs to another here", async () => {
    const [a, b] = [new Side(withCorp(1)), new Side(everything())];
    a.has("app.corp", { tag: 1 << 2 });
    expect(await b.take(joined([await a.part()]))).toEqual({ taken: 0, dropped: 1 });
    const [outside, inside] = [new Side(everything()), new Side(withCorp(1))];
    outside.has("app.corp");
    outside.has("www.example", { alias: "app.corp" }); // the inside says what that is
    outside.has("web.example", { alias: "app.example" });
    expect(await inside.take(joined([await outside.part()]))).toEqual({ taken: 1, dropped: 2 });
    expect(inside.left("web.example")).toBe(3_600);
    expect([...inside.serving.routes].map(([, each]) => each.aliased)).toEqual([true, undefined]);
  });

  test("adds what is not there: an own answer stays, a stale one gives way", async () => {
    const [a, b] = [new Side(everything()), new Side(everything())];
    for (const name of ["fresh.example", "stale.example"]) a.has(name, { ttl: 3_600 });
    b.has("fresh.example", { ttl: 600 });
    b.has("stale.example", { ttl: 60 });
    b.clock.advance(seconds(60));
    expect(await b.take(joined([await a.part()]))).toEqual({ taken: 1, dropped: 1 });
    expect([b.left("fresh.example"), b.left("stale.example")]).toEqual([540, 3_600]);
  });

  test("takes no longer lives than its own limits give, a no least of all", async () => {
    const a = new Side(everything());
    a.has("yes.example", { ttl: 300 });
    a.has("long.example", { ttl: 3_600 });
    a.has("no.example", { ttl: 60, missing: true });
    const b = new Side(everything(), { limits: { maxTtl: 600, negativeTtl: 30 } });
    expect(await b.take(joined([await a.part()]))).toEqual({ taken: 1, dropped: 2 });
    expect(b.left("yes.example")).toBe(300);
  });

  test("has the parts of all workers, and one that is of no use does not spoil the others", async () => {
    const [one, two, b] = [new Side(everything()), new Side(everything()), new Side(everything())];
    one.has("one.example");
    two.has("two.example");
    const broken = Uint8Array.from(await one.part());
    broken.fill(1, -CHECKSUM_BYTES);
    const body = joined([broken, await one.part(), await two.part(), await one.part()]);
    expect(await b.take(body)).toEqual({ taken: 2, dropped: 1, fault: "checksum" });
    expect([b.left("one.example"), b.left("two.example")]).toEqual([3_600, 3_600]);
  });

  test("is bounded in bytes and answers, and the latest go first", async () => {
    const a = new Side(everything());
    for (let i = 0; i < 100; i += 1) a.has(`n${i}.example`);
    const [few, small, b, c] = [
      await a.part({ ...BOUNDS, answers: 7 }),
      await a.part({ ...BOUNDS, bytes: 1_000 }),
      new Side(everything()),
      new Side(everything()),
    ];
    expect((await b.take(joined([few]))).taken).toBe(7);
    expect([b.left("n99.example"), b.left("n92.example")]).toEqual([3_600, undefined]);
    expect(small.length).toBeLessThanOrEqual(1_000);
    expect((await c.take(joined([small]))).taken).toBeGreaterThan(5);
  });

  test("has room for answers beside a thousand routes", async () => {
    const routes = new Map(Array.from({ length: 1_000 }, (_, i) => [i, route(i === 0 ? "." : `z${i}`, "192.0.2.1")]));
    const [a, b] = [new Side(routes), new Side(everything())];
    a.has("www.example");
    const part = await a.part({ bytes: 4_096, answers: 10 });
    expect(part.length).toBeLessThanOrEqual(4_096);
    expect((await b.take(joined([part]))).taken).toBe(1);
  });

  test.each([1, 10])("is written in slices, and after a second it is over: a machine that takes %i ms", async (ms) => {
    const clock = new SlowClock(milliseconds(ms));
    const cache = cacheOf(2 ** 22);
    for (let i = 0; i < 3_000; i += 1) {
      keep(cache, clock, `n${i}.example`);
      left(cache, clock, `n${i}.example`);
    }
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      pending = setImmediate(turn);
    };
    let pending = setImmediate(turn);
    const part = await new HotCache(cache, clock).give({ routes: everything() }, { bytes: 2 ** 20, answers: 10_000 });
    clearImmediate(pending);
    expect(turns).toBeGreaterThan(20); // others are served meanwhile
    const b = new Side(everything());
    const { taken } = await b.take(joined([part]));
    expect(taken).toBeGreaterThan(10);
    expect(taken).toBeLessThan(2_500);
  });

  test("is read for two seconds in all, whatever the number of parts, and what is read late is older", async () => {
    const parts = await Promise.all(
      ["one", "two", "three"].map(async (kind) => {
        const side = new Side(everything(), { size: 2 ** 22 });
        for (let i = 0; i < 600; i += 1) side.has(`${kind}${i}.example`);
        return side.part();
      }),
    );
    const clock = new FakeClock();
    const names = {
      placeOf: (): number => {
        clock.advance(milliseconds(3)); // each answer takes so long
        return 0;
      },
    };
    const cache = cacheOf(2 ** 22);
    const [tick, serving] = [tickOf(clock.now()), { routes: everything(), limits: LIMITS }];
    const { taken } = await new HotCache(cache, clock).take(Buffer.from(joined(parts)), seconds(0), serving, names);
    expect(taken).toBeGreaterThan(1_100); // the clock is looked at after each 512
    expect(taken).toBeLessThanOrEqual(600 + 512 + 512);
    for (const name of ["two599.example", "two100.example"]) {
      const at = cache.find(view(queryFor(name)), 0, tick);
      const expires = cache.slab.words[(at >>> 2) + WORD.expires] ?? 0;
      expect(Math.abs(expires - tick - 36_000)).toBeLessThanOrEqual(4); // ticks: not the second and more that has passed
    }
  });

  test("takes the saved cache of a file for what it is: of other routes", async () => {
    const a = new Side(everything());
    a.has("www.example");
    expect(await new Side(everything()).take(joined([saveCache(a.cache, [ROOT], a.clock)]))).toEqual({
      taken: 0,
      dropped: 1,
    });
  });

  test.each([
    ["an end before the length", Buffer.of(0, 0)],
    ["less than it says", Buffer.of(0, 0, 0, 9, 1)],
    ["a length that wraps", Buffer.from("ffffffff00", "hex")],
  ])("takes nothing of what is not made of parts: %s", async (_, bytes) => {
    expect(parted(bytes)).toBeUndefined();
    expect(await new Side(everything()).take(bytes)).toEqual({ taken: 0, dropped: 0, fault: "not-parts" });
  });

  test("parts are what was joined", () => {
    const parts = [Buffer.of(1, 2, 3), Buffer.alloc(0), Buffer.of(4)];
    expect([parted(joined(parts)), parted(joined([]))]).toEqual([parts, []]);
  });
});
