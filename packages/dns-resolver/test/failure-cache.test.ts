import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { expect, test } from "vitest";
import { FailureCache } from "../src/upstream/failure-cache.ts";
import { respond } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor } from "./fixtures.ts";
import { rig, upstream } from "./rig.ts";

const WHY = Uint8Array.of(1);

// RFC 9520 section 3.2
test("a failure stands for a second, and twice as long each time it comes again, up to half a minute", () => {
  const clock = new FakeClock();
  const failures = new FailureCache(clock);
  for (const hold of [1, 2, 4, 8, 16, 30, 30]) {
    failures.failed("a", WHY);
    clock.advance(milliseconds(hold * 1_000 - 1));
    expect(failures.standing("a")).toBe(WHY);
    clock.advance(milliseconds(1));
    expect(failures.standing("a")).toBeUndefined();
  }
});

test("one that is long past is forgotten: the next stands for a second again", () => {
  const clock = new FakeClock();
  const failures = new FailureCache(clock);
  const holds = (hold: number): void => {
    failures.failed("a", WHY);
    clock.advance(milliseconds(hold * 1_000 - 1));
    expect(failures.standing("a")).toBe(WHY);
    clock.advance(milliseconds(1));
    expect(failures.standing("a")).toBeUndefined();
  };
  for (const hold of [1, 2, 4]) holds(hold);
  clock.advance(seconds(55)); // 59 s after it failed
  holds(8);
  clock.advance(seconds(52)); // 60 s after it failed
  holds(1);
});

test("an answer ends it, and begins the count anew", () => {
  const clock = new FakeClock();
  const failures = new FailureCache(clock);
  failures.failed("a", WHY);
  failures.failed("a", WHY);
  failures.answered("a");
  expect(failures.standing("a")).toBeUndefined();
  failures.failed("a", WHY);
  clock.advance(seconds(1));
  expect(failures.standing("a")).toBeUndefined();
});

test("a flood of names that fail takes a bounded amount of memory", () => {
  const failures = new FailureCache(new FakeClock());
  for (let i = 0; i < 10_000; i += 1) failures.failed(`n${i}`, WHY);
  expect(failures.size).toBe(4_096);
  expect([failures.standing("n0"), failures.standing("n9999")]).toEqual([undefined, WHY]);
});

test("what has just failed is not asked again at once, and says why", async () => {
  const fake = await upstream({ udp: (query, send) => send(respond(query, { flags: 0x82, answers: [] })) });
  const { ask, count } = await rig([fake]);
  const first = decoded(await ask(queryFor("broken.example", { edns: {} })));
  const asked = fake.queries.length;
  const second = decoded(await ask(queryFor("broken.example", { edns: {} })));
  expect([first.rcode, second.rcode]).toEqual(["SERVFAIL", "SERVFAIL"]);
  expect(fake.queries.length).toBe(asked);
  expect([count("upstream-failed"), count("failed-before")]).toEqual([1, 1]);
});

test("a name that works is not held up by one that fails", async () => {
  const fake = await upstream({
    udp: (query, send) => {
      const broken = decoded(query).questions?.[0]?.name.toLowerCase().startsWith("broken") === true;
      send(broken ? respond(query, { flags: 0x82, answers: [] }) : respond(query));
    },
  });
  const { ask } = await rig([fake]);
  await ask(queryFor("broken.example"));
  expect(dataOf(await ask(queryFor("sound.example")))).toEqual(["192.0.2.7"]);
});
