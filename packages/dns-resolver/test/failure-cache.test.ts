import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { expect, test } from "vitest";
import { REASON } from "../src/reasons.ts";
import { FailureCache } from "../src/upstream/failure-cache.ts";
import { respond } from "./fake-upstream.ts";
import { keyOf } from "./questions.ts";
import { bench, dataOf, decoded, queryFor } from "./fixtures.ts";
import { forwarding, settled, type Forwarding, type Held } from "./held-transport.ts";
import { rig, upstream } from "./rig.ts";

const WHY = Uint8Array.of(1);

// RFC 9520 section 3.2
test("a failure stands for a second, and twice as long each time it comes again, up to half a minute", () => {
  const clock = new FakeClock();
  const failures = new FailureCache(clock);
  for (const hold of [1, 2, 4, 8, 16, 30, 30]) {
    failures.failed(keyOf("a.test"), WHY);
    clock.advance(milliseconds(hold * 1_000 - 1));
    expect(failures.standing(keyOf("a.test"))).toBe(WHY);
    clock.advance(milliseconds(1));
    expect(failures.standing(keyOf("a.test"))).toBeUndefined();
  }
});

test("one that is long past is forgotten: the next stands for a second again", () => {
  const clock = new FakeClock();
  const failures = new FailureCache(clock);
  const holds = (hold: number): void => {
    failures.failed(keyOf("a.test"), WHY);
    clock.advance(milliseconds(hold * 1_000 - 1));
    expect(failures.standing(keyOf("a.test"))).toBe(WHY);
    clock.advance(milliseconds(1));
    expect(failures.standing(keyOf("a.test"))).toBeUndefined();
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
  failures.failed(keyOf("a.test"), WHY);
  failures.failed(keyOf("a.test"), WHY);
  failures.answered(keyOf("a.test"));
  expect(failures.standing(keyOf("a.test"))).toBeUndefined();
  failures.failed(keyOf("a.test"), WHY);
  clock.advance(seconds(1));
  expect(failures.standing(keyOf("a.test"))).toBeUndefined();
});

test("a flood of names that fail takes a bounded amount of memory", () => {
  const failures = new FailureCache(new FakeClock());
  for (let i = 0; i < 10_000; i += 1) failures.failed(keyOf(`n${i}.test`), WHY);
  expect(failures.size).toBe(4_096);
  expect([failures.standing(keyOf("n0.test")), failures.standing(keyOf("n9999.test"))]).toEqual([undefined, WHY]);
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

/** Ends every question that waits so, those that are put in their place too. */
async function endAll({ transport }: Forwarding, end: (held: Held) => void): Promise<void> {
  for (const held of transport.held) {
    end(held);
    await settled();
  }
}

test("an upstream that comes back ends all failures: what failed for its sake may be asked again", async () => {
  const clock = new FakeClock();
  const at = forwarding(clock);
  const { ask, routes, transport } = at;
  for (const wait of [1, 2, 4, 8]) {
    ask("www.example");
    await endAll(at, ({ answer }) => answer({ flags: 0x82, answers: [] }));
    if (wait < 8) clock.advance(seconds(wait));
  }
  for (let i = 0; i < 3; i += 1) ask(`n${i}.example`);
  await endAll(at, ({ end }) => end({ kind: "unreachable", code: "ENETUNREACH" }));
  expect(routes[0]?.upstreams[0]?.down).toBe(true);
  clock.advance(milliseconds(1_500)); // the probe for its zone
  transport.held.at(-1)?.answer();
  await settled();
  expect(routes[0]?.upstreams[0]?.down).toBe(false);
  const asked = transport.held.length;
  ask("www.example"); // else it would have to wait for 8 s
  expect(transport.held.length).toBe(asked + 1);
});

test("what this machine could not ask is no failure of the question: there may be a socket for the next", async () => {
  const at = forwarding(new FakeClock());
  at.ask("www.example");
  await endAll(at, ({ end }) => end({ kind: "no-socket", code: "EMFILE" }));
  expect(at.outcomes).toMatchObject([{ kind: "failed", reason: REASON.upstreamFailed }]);
  const asked = at.transport.held.length;
  at.ask("www.example");
  expect(at.transport.held.length).toBe(asked + 1);
});

test("an alias into a route that is busy is no failure of the question", async () => {
  const names = bench([], [".", "corp.test"]).resolver.claims;
  const at = forwarding(new FakeClock(), { zones: [".", "corp.test"], sockets: 2, names });
  at.ask("other.corp.test", 1);
  for (let round = 1; round <= 2; round += 1) {
    at.ask("www.test");
    expect(at.transport.held.length).toBe(1 + round);
    at.transport.held.at(-1)?.answer({ answers: [{ type: "CNAME", name: "www.test", ttl: 60, data: "a.corp.test" }] });
    await settled();
    expect(at.outcomes.at(-1)).toMatchObject({ kind: "failed", reason: REASON.upstreamBusy });
    expect(at.outcomes.length).toBe(round);
    await settled();
  }
});
