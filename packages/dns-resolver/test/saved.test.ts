import { days, hours, minutes, seconds, type Duration } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tickOf } from "../src/cache.ts";
import { WORD } from "../src/cache/image.ts";
import { AT_ENTRY, checksum, CHECKSUM_BYTES, ENTRY_BYTES, fingerprint } from "../src/saved/layout.ts";
import type { Restored, SavedFault } from "../src/saved/restore.ts";
import { saveCache } from "../src/saved/save.ts";
import { decodeMessage } from "../src/wire/message.ts";
import type { Query } from "../src/wire/query.ts";
import { queryFor, view } from "./fixtures.ts";
import { cacheOf, CORP, keep, left, restarted, ROOT } from "./saved-rig.ts";

function corpOrRoot(query: Query): number {
  return Buffer.from(query.key).includes("\u0004corp") ? CORP.number : ROOT.number;
}

describe("warm start: a saved cache", () => {
  test("comes back older by the time that passed on the wall clock, whatever it was saved and restored at", async () => {
    const clock = new FakeClock();
    clock.advance(hours(5));
    const cache = cacheOf();
    keep(cache, clock, "www.example");
    clock.advance(seconds(100));
    const again = await restarted(saveCache(cache, [ROOT], clock), clock, minutes(10));
    expect(again.result).toMatchObject({ taken: 1, dropped: 0 });
    expect(left(again.cache, again.clock, "www.example")).toBe(2_900);
    const at = again.cache.find(view(queryFor("www.example")), 0, tickOf(again.clock.now()));
    expect(tickOf(again.clock.now()) - (again.cache.slab.words[(at >>> 2) + WORD.stored] ?? 0)).toBe(7_000);
  });

  test("has what is only good as stale, for as long as that, and no longer", async () => {
    const clock = new FakeClock();
    const cache = cacheOf();
    keep(cache, clock, "a.example", { ttl: 60 });
    keep(cache, clock, "no.example", { ttl: 60, missing: true });
    const bytes = saveCache(cache, [ROOT], clock);
    const soon = await restarted(bytes, clock, hours(20));
    expect(left(soon.cache, soon.clock, "a.example")).toBe(60 - 72_000);
    expect(left(soon.cache, soon.clock, "no.example")).toBe(60 - 72_000);
    const late = await restarted(bytes, clock, (days(1) + seconds(60)) as Duration);
    expect(late.result).toMatchObject({ taken: 0, dropped: 2 });
  });

  test("loses the routes that have changed, and names that belong to another now", async () => {
    const clock = new FakeClock();
    const cache = cacheOf();
    keep(cache, clock, "www.example");
    keep(cache, clock, "www.corp.example", { tag: 4 });
    const bytes = saveCache(cache, [ROOT, CORP], clock);
    const changed = { number: 7, fingerprint: fingerprint("corp, by other upstreams") };
    const one = await restarted(bytes, clock, seconds(1), { routes: [ROOT, changed] });
    expect(one.result).toMatchObject({ taken: 1, dropped: 1 });
    expect(left(one.cache, one.clock, "www.corp.example", 4)).toBeUndefined();
    const moved = await restarted(bytes, clock, seconds(1), { routeOf: () => 1 });
    expect(moved.result).toMatchObject({ taken: 1, dropped: 1 });
    expect(left(moved.cache, moved.clock, "www.example")).toBeUndefined();
    const renumbered = await restarted(bytes, clock, seconds(1), {
      routes: [{ ...CORP, number: 0 }],
    });
    expect(left(renumbered.cache, renumbered.clock, "www.corp.example", 0)).toBeGreaterThan(3_500);
  });

  test("loses an alias that leads to what another route answers for now", async () => {
    const clock = new FakeClock();
    const cache = cacheOf();
    keep(cache, clock, "www.example", { alias: "app.corp.example" });
    keep(cache, clock, "web.example", { alias: "app.example" });
    const again = await restarted(saveCache(cache, [ROOT], clock), clock, seconds(1), { routeOf: corpOrRoot });
    expect(again.result).toMatchObject({ taken: 1, dropped: 1 });
    expect(left(again.cache, again.clock, "web.example")).toBeGreaterThan(3_500);
  });

  test("keeps DO and CD apart, leaves out what several routes made, and what is not of its routes", async () => {
    const clock = new FakeClock();
    const cache = cacheOf();
    keep(cache, clock, "signed.example", { tag: 3 });
    keep(cache, clock, "alias.example", { spliced: true });
    keep(cache, clock, "gone.example", { tag: 40 });
    const again = await restarted(saveCache(cache, [ROOT], clock), clock, seconds(1));
    expect(again.result).toMatchObject({ taken: 1, dropped: 0 });
    expect(left(again.cache, again.clock, "signed.example", 3)).toBeGreaterThan(3_500);
    expect(left(again.cache, again.clock, "signed.example", 0)).toBeUndefined();
  });

  test("leaves out what may not even be served stale: it would take the room of others", () => {
    const clock = new FakeClock();
    const cache = cacheOf();
    const empty = saveCache(cache, [ROOT], clock).length;
    keep(cache, clock, "www.example", { ttl: 60 });
    clock.advance((days(1) + seconds(59)) as Duration);
    expect(saveCache(cache, [ROOT], clock).length).toBeGreaterThan(empty);
    clock.advance(seconds(1));
    expect(saveCache(cache, [ROOT], clock).length).toBe(empty);
  });

  test("is bounded in bytes, and what clients came back for goes first", async () => {
    const clock = new FakeClock();
    const cache = cacheOf(2 ** 21);
    for (let i = 0; i < 2_000; i += 1) {
      keep(cache, clock, `hot${i}.example`);
      left(cache, clock, `hot${i}.example`);
    }
    for (let i = 0; i < 6_000; i += 1) keep(cache, clock, `cold${i}.example`);
    const bytes = saveCache(cache, [ROOT], clock, 100_000);
    expect(bytes.length).toBeLessThanOrEqual(100_000);
    const again = await restarted(bytes, clock, seconds(1));
    const taken = (again.result as Restored).taken;
    expect(taken).toBeGreaterThan(1_000);
    const hot = Array.from({ length: 2_000 }, (_, i) => left(again.cache, again.clock, `hot${i}.example`));
    expect(hot.filter((each) => each !== undefined).length).toBe(taken);
  });
});

/** With the checksum that belongs to it. */
function sealed(bytes: Buffer): Buffer {
  const body = bytes.subarray(0, bytes.length - CHECKSUM_BYTES);
  return Buffer.concat([body, checksum(body)]);
}

describe("a saved cache is not used", () => {
  const clock = new FakeClock();
  const cache = cacheOf();
  keep(cache, clock, "www.example");
  const good = saveCache(cache, [ROOT], clock);
  const changed = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(good);
    bytes[at] = value;
    return bytes;
  };

  test.each<[string, Buffer, SavedFault]>([
    ["when it is empty", Buffer.alloc(0), "short"],
    ["when it is something else", Buffer.alloc(200, "x"), "not-a-cache"],
    ["when it is of another version", sealed(changed(11, 2)), "version"],
    ["when a bit is wrong", changed(60, 0xff), "checksum"],
    ["when it was cut off", good.subarray(0, good.length - 1), "checksum"],
    ["when it claims more routes than it has", sealed(changed(20, 0xff)), "short"],
  ])("%s", async (_, bytes, fault) => {
    expect((await restarted(bytes, clock, seconds(1))).result).toBe(fault);
  });

  test("when it was written in the future: nobody can tell how old its answers are", async () => {
    expect((await restarted(good, clock, seconds(-1))).result).toBe("from-the-future");
  });

  test("whatever is in it: what is no answer of ours is left out, and nothing is thrown", async () => {
    const edits = fc.array(fc.tuple(fc.nat(good.length - CHECKSUM_BYTES - 23), fc.nat(255)), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(edits, async (changes) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes[at + 22] = value;
        const { result, cache: restored } = await restarted(sealed(bytes), clock, seconds(1));
        if (typeof result === "string") return;
        expect(restored.entries).toBe(result.taken);
        for (const at of restored.images()) {
          const { bytes: slab, words } = restored.slab;
          const length = (words[(at >>> 2) + WORD.lengths] ?? 0) >>> 16;
          expect(decodeMessage(slab.slice(at + 40, at + 40 + length)).ok).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["more life than any answer gets", 0, 86_400 * 10 + 1],
    ["an age that is more than its life", 3_600 * 10 + 1, -3_600 * 10 - 2],
  ])("answer by answer: %s", async (_, age, rest) => {
    const bytes = Buffer.from(good);
    bytes.writeUInt32BE(age, 22 + 16 + AT_ENTRY.age);
    bytes.writeInt32BE(rest, 22 + 16 + AT_ENTRY.left);
    expect((await restarted(sealed(bytes), clock, seconds(0))).result).toMatchObject({ taken: 0, dropped: 1 });
  });

  test.each([
    ["a question in capitals", (message: Buffer) => void (message[13] = 0x57)],
    ["a class that is not IN", (message: Buffer) => void (message[12 + 13 + 3] = 3)],
    ["an rcode of a failure", (message: Buffer) => void (message[3] = 0x82)],
    ["an address of three octets", (message: Buffer) => void (message[message.length - 5] = 3)],
  ])("answer by answer: %s", async (_, edit) => {
    const bytes = Buffer.from(good);
    edit(bytes.subarray(22 + 16 + ENTRY_BYTES, bytes.length - CHECKSUM_BYTES));
    expect((await restarted(sealed(bytes), clock, seconds(1))).result).toMatchObject({ taken: 0, dropped: 1 });
  });
});
