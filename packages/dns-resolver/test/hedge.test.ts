import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test, vi } from "vitest";
import { Pace } from "../src/upstream/pace.ts";
import { respond, type FakeUpstream } from "./fake-upstream.ts";
import { dataOf, decoded, queryFor } from "./fixtures.ts";
import { forwarding, settled } from "./held-transport.ts";
import { inTime, passing, rig, upstream, type Rig } from "./rig.ts";

interface Pair extends Rig {
  readonly clock: FakeClock;
  readonly first: FakeUpstream;
  readonly second: FakeUpstream;
  /** Of the first: what it has not answered yet, while it is `slow`. */
  readonly held: (() => void)[];
  slow: boolean;
}

function answered(query: Buffer, last: number): Buffer {
  const name = decoded(query).questions?.[0]?.name ?? "";
  return respond(query, { answers: [{ type: "A", name, ttl: 60, data: `192.0.2.${last}` }] });
}

/** Two upstreams; the first has answered `known` questions at once. */
async function pair(known: number): Promise<Pair> {
  const clock = new FakeClock();
  const state = { slow: false, held: [] as (() => void)[], clock };
  const first = await upstream({
    udp: (query, send) => {
      const answer = (): void => send(answered(query, 1));
      if (state.slow) state.held.push(answer);
      else answer();
    },
  });
  const second = await upstream({ udp: (query, send) => send(answered(query, 2)) });
  const made = await rig([first, second], clock);
  for (let i = 0; i < known; i += 1) await made.ask(queryFor(`known${i}.example`));
  return Object.assign(state, made, { first, second });
}

describe("hedged questions", () => {
  test("go to a second upstream when the first is slower than nearly all its answers were", async () => {
    const at = await pair(20);
    at.slow = true;
    const reply = at.ask(queryFor("www.example"));
    await vi.waitFor(() => expect(at.held.length).toBe(1));
    await at.clock.run(milliseconds(40));
    expect(at.second.queries.length).toBe(0);
    await at.clock.run(milliseconds(20)); // an attempt would wait for 600 ms
    expect(dataOf(await reply)).toEqual(["192.0.2.2"]);
    expect(at.server.forwarder.counters).toMatchObject({ hedged: 1, timeouts: 0 });
  });

  test("are not put while too little is known about the first", async () => {
    const at = await pair(15);
    at.slow = true;
    const reply = at.ask(queryFor("www.example"));
    await vi.waitFor(() => expect(at.held.length).toBe(1));
    await at.clock.run(milliseconds(500));
    expect(at.second.queries.length).toBe(0);
    expect(dataOf(await inTime(at.clock, reply))).toEqual(["192.0.2.2"]);
    expect(at.server.forwarder.counters).toMatchObject({ hedged: 0, timeouts: 1 });
  });

  test("are a tenth of an upstream's questions at most: one that slows down for good does not double the load", async () => {
    const at = await pair(20);
    at.slow = true;
    const before = at.first.queries.length;
    for (let i = 0; i < 12; i += 1) void at.ask(queryFor(`n${i}.example`));
    await vi.waitFor(() => expect(at.first.queries.length).toBe(before + 12));
    await at.clock.run(milliseconds(100));
    // 1 to begin with, 32 questions so far
    await vi.waitFor(() => expect(at.count("forwarded")).toBe(20 + 4));
    expect(at.server.forwarder.counters.hedged).toBe(4);
    await passing(at.clock, () => at.count("forwarded") === 32);
  });

  test("are saved up to ten: an upstream that was fast for long and stops finds no crowd that goes to the next", async () => {
    const at = await pair(200);
    at.slow = true;
    const before = at.first.queries.length;
    for (let i = 0; i < 30; i += 1) void at.ask(queryFor(`n${i}.example`));
    await vi.waitFor(() => expect(at.first.queries.length).toBe(before + 30), { timeout: 20_000 });
    await at.clock.run(milliseconds(100));
    expect(at.server.forwarder.counters.hedged).toBe(10);
    await passing(at.clock, () => at.count("forwarded") === 230);
  });

  test("are not put while half of the route's budget is in use: there is no room to ask twice", async () => {
    const clock = new FakeClock();
    const { ask, forwarder, routes, transport } = forwarding(clock, { sockets: 10, upstreams: 2 });
    const pace = routes[0]?.upstreams[0]?.pace;
    for (let i = 0; i < 40; i += 1) {
      pace?.asked();
      pace?.answered(milliseconds(1));
    }
    for (let i = 0; i < 5; i += 1) ask(`n${i}.example`);
    await clock.run(milliseconds(100));
    expect([transport.held.length, forwarder.counters.hedged]).toEqual([5, 0]);
    for (const { answer } of transport.held) answer();
    await settled();
    for (let i = 0; i < 4; i += 1) ask(`m${i}.example`);
    await clock.run(milliseconds(400)); // five of its answers have just taken 100 ms
    expect([transport.held.length, forwarder.counters.hedged]).toEqual([13, 4]);
  });

  test("do not learn patience from what a forger may have sent: quick nonsense would have every question asked twice", async () => {
    const { ask, routes, transport } = forwarding(new FakeClock(), { upstreams: 2 });
    for (const kind of ["truncated", "malformed", "near-misses", "case-changed"] as const) {
      for (let i = 0; i < 20; i += 1) {
        ask(`${kind}${i}.example`);
        transport.held.at(-1)?.end({ kind });
        await settled();
      }
    }
    expect(routes[0]?.upstreams[0]?.pace.patience).toBeUndefined();
  });

  test("take the answer of the first when that comes first, and its life is not lost", async () => {
    const at = await pair(20);
    at.slow = true;
    const reply = at.ask(queryFor("www.example"));
    await vi.waitFor(() => expect(at.held.length).toBe(1));
    await at.clock.run(milliseconds(30));
    at.held[0]?.();
    expect(dataOf(await reply)).toEqual(["192.0.2.1"]);
    await at.clock.run(seconds(2));
    expect(at.second.queries.length).toBe(0);
  });
});

describe("late answers", () => {
  test("are stored when they come after everybody was told that there is none", async () => {
    const clock = new FakeClock();
    const held: (() => void)[] = [];
    const fake = await upstream({ udp: (query, send) => held.push(() => send(respond(query))) });
    const { ask, count, server } = await rig([fake], clock);
    const first = ask(queryFor("www.example"));
    await passing(clock, () => count("upstream-failed") === 1);
    expect(decoded(await first).rcode).toBe("SERVFAIL");
    await vi.waitFor(() => expect(held.length).toBe(3));
    expect(decoded(await ask(queryFor("www.example"))).rcode).toBe("SERVFAIL");
    expect([count("failed-before"), fake.queries.length, server.forwarder.inFlight]).toEqual([1, 3, 1]);
    held[2]?.();
    await vi.waitFor(() => expect(server.forwarder.inFlight).toBe(0));
    expect(dataOf(await ask(queryFor("www.example")))).toEqual(["192.0.2.7"]);
    expect([count("cached"), fake.queries.length]).toEqual([1, 3]);
  });

  test("of the first upstream are taken while the second is asked", async () => {
    const at = await pair(0);
    const silent = await upstream({});
    const { ask, server } = await rig([at.first, silent], at.clock);
    at.slow = true;
    const reply = ask(queryFor("www.example"));
    await vi.waitFor(() => expect(at.held.length).toBe(1));
    await passing(at.clock, () => silent.queries.length === 1);
    at.held[0]?.();
    expect(dataOf(await reply)).toEqual(["192.0.2.1"]);
    expect(server.forwarder.counters).toMatchObject({ timeouts: 1, exchanges: 2 });
  });

  test("are not waited for without end: then the question may be put again", async () => {
    const clock = new FakeClock();
    const fake = await upstream({});
    const { ask, count, server } = await rig([fake], clock);
    void ask(queryFor("www.example"));
    await passing(clock, () => count("upstream-failed") === 1);
    await clock.run(milliseconds(1_850));
    expect(server.forwarder.inFlight).toBe(1);
    await clock.run(milliseconds(200));
    expect(server.forwarder.inFlight).toBe(0);
  });
});

function after(pace: Pace, ms: number, times: number): void {
  for (let i = 0; i < times; i += 1) pace.answered(milliseconds(ms));
}

describe("the pace of an upstream", () => {
  test("is unknown for the first 15 answers", () => {
    const pace = new Pace();
    after(pace, 10, 15);
    expect(pace.patience).toBeUndefined();
    after(pace, 10, 1);
    expect(pace.patience).toBe(50);
  });

  test.each([
    [100, 0, 5, 150],
    [100, 1_000, 4, 150],
    [100, 1_000, 6, 1_500],
  ])(
    "is what 19 of 20 answers kept, half as much again: %i ms, and %i ms of %i in 100",
    (most, rest, share, patience) => {
      const pace = new Pace();
      after(pace, most, 100 - share);
      after(pace, rest, share);
      expect(pace.patience).toBeGreaterThanOrEqual(patience * 0.99);
      expect(pace.patience).toBeLessThanOrEqual(patience * 1.2);
    },
  );

  test("forgets: an upstream that got fast is known to be fast after some hundred answers", () => {
    const pace = new Pace();
    after(pace, 400, 1_000);
    expect(pace.patience).toBeGreaterThan(500);
    after(pace, 2, 2_000);
    expect(pace.patience).toBe(50);
  });
});
