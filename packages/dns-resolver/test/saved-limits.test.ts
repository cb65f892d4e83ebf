import { milliseconds, seconds, type Instant } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";
import { tickOf, type Cache } from "../src/cache.ts";
import { restoreCache, type Restored } from "../src/saved/restore.ts";
import { saveCache } from "../src/saved/save.ts";
import { queryFor, view } from "./fixtures.ts";
import { cacheOf, keep, left, restarted, ROOT } from "./saved-rig.ts";

/** Time passes whenever somebody looks: at a machine that is busy, or has a slow disk. */
class SlowClock extends FakeClock {
  override now(): Instant {
    this.advance(milliseconds(600));
    return super.now();
  }
}

const KEPT = { limits: { maxTtl: 86_400, negativeTtl: 900 }, onAliased: (): void => {} };

describe("a start and a stop do not wait for the cache:", () => {
  const clock = new FakeClock();
  const cache = cacheOf(2 ** 22);
  for (let i = 0; i < 5_000; i += 1) keep(cache, clock, `n${i}.example`);

  test("what is not written after a second is left out", async () => {
    const slow = new SlowClock(clock.wallMicros());
    const { result } = await restarted(saveCache(cache, [ROOT], slow), slow, seconds(10));
    expect((result as Restored).taken).toBeGreaterThan(1_000);
    expect((result as Restored).taken).toBeLessThan(3_000);
    const whole = await restarted(saveCache(cache, [ROOT], clock), clock, seconds(10));
    expect((whole.result as Restored).taken).toBeGreaterThan(4_900);
  });

  test("what is not read after two seconds is left out, and other work is done meanwhile", async () => {
    const later = new FakeClock(clock.wallMicros() + 1e6);
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      later.advance(milliseconds(600));
      if (turns < 1_000) pending = setImmediate(turn);
    };
    let pending = setImmediate(turn);
    const options = { cache: cacheOf(2 ** 22), clock: later, routes: [ROOT], routeOf: () => 0, ...KEPT };
    const result = (await restoreCache(saveCache(cache, [ROOT], clock), options)) as Restored;
    clearImmediate(pending);
    expect(turns).toBeGreaterThanOrEqual(4);
    expect(result.taken).toBeGreaterThan(500);
    expect(result.taken).toBeLessThan(4_000);
  });
});

function names(kind: string): string[] {
  return Array.from({ length: 20 }, (_, i) => `${kind}${i}.example`);
}

describe("what clients come back for", () => {
  const FLOOD = 12_000;
  const flood = (cache: Cache, clock: FakeClock): void => {
    for (let i = 0; i < FLOOD; i += 1) keep(cache, clock, `r${i}.victim.example`);
  };

  test("stands a flood of random names after a restart as before it, and what was asked for once does not", async () => {
    const clock = new FakeClock();
    const cache = cacheOf();
    for (const name of names("settled")) keep(cache, clock, name);
    for (const name of names("settled")) left(cache, clock, name);
    flood(cache, clock); // it has been moved on, and nobody has asked for it since
    for (const name of [...names("asked"), ...names("once")]) keep(cache, clock, name);
    for (const name of names("asked")) left(cache, clock, name);
    const again = await restarted(saveCache(cache, [ROOT], clock), clock, seconds(1));
    flood(again.cache, again.clock);
    const there = (kind: string): number =>
      names(kind).filter((name) => left(again.cache, again.clock, name) !== undefined).length;
    expect(there("settled")).toBeGreaterThanOrEqual(18); // one or two may share a full bucket of the directory
    expect(there("asked")).toBeGreaterThanOrEqual(18);
    expect(there("once")).toBe(0);
  });

  test("is asked for anew in the last tenth of its life, not all at once after a restart", async () => {
    const clock = new FakeClock();
    const cache = cacheOf();
    keep(cache, clock, "www.example", { ttl: 1_000 });
    clock.advance(seconds(500));
    const again = await restarted(saveCache(cache, [ROOT], clock), clock, seconds(100));
    const wants = (): boolean[] => {
      const tick = tickOf(again.clock.now());
      const at = again.cache.find(view(queryFor("www.example")), 0, tick);
      return Array.from({ length: 2 }, () => again.cache.wantsRefresh(at, tick));
    };
    expect(wants()).toEqual([false, false]);
    again.clock.advance(seconds(299));
    expect(wants()).toEqual([false, false]);
    again.clock.advance(seconds(1));
    expect(wants()).toEqual([false, true]);
  });
});
