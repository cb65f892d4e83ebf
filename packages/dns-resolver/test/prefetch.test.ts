import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test, vi } from "vitest";
import { ClientBudget } from "../src/client-budget.ts";
import { respond } from "./fake-upstream.ts";
import { bench, client, LOOPBACK, queryFor, ttlsOf, view } from "./fixtures.ts";
import { forwarding, settled } from "./held-transport.ts";
import { inTime, rig, upstream } from "./rig.ts";
import { storedFor } from "./stored.ts";

describe("prefetch: an answer that is about to expire", () => {
  test("is asked for anew when it was asked for twice in the last tenth of its life, and no client waits", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const clock = new FakeClock();
    const { ask, count, server } = await rig([fake], clock);
    await ask(queryFor("www.example"));
    clock.advance(seconds(53));
    for (let i = 0; i < 5; i += 1) await ask(queryFor("www.example"));
    expect(fake.queries.length).toBe(1);
    clock.advance(seconds(2));
    for (let i = 0; i < 5; i += 1) expect(ttlsOf(await ask(queryFor("www.example")))[0]).toBeGreaterThanOrEqual(5);
    await vi.waitFor(() => expect(server.forwarder.inFlight).toBe(0));
    expect(fake.queries.length).toBe(2);
    clock.advance(seconds(30)); // the first answer is long gone
    expect(ttlsOf(await ask(queryFor("www.example")))).toEqual([30]);
    expect([count("cached"), count("forwarded"), server.forwarder.counters.refreshed]).toEqual([11, 1, 1]);
  });

  test("is left alone when it was asked for once", async () => {
    const fake = await upstream({ udp: (query, send) => send(respond(query)) });
    const clock = new FakeClock();
    const { ask, count } = await rig([fake], clock);
    await ask(queryFor("www.example"));
    clock.advance(seconds(55));
    await ask(queryFor("www.example"));
    clock.advance(seconds(10));
    await ask(queryFor("www.example"));
    expect([fake.queries.length, count("forwarded")]).toEqual([2, 2]);
  });

  test("and a client who comes after its end joins the question that is on its way", async () => {
    const held: (() => void)[] = [];
    let quick = true;
    const fake = await upstream({
      udp: (query, send) => (quick ? send(respond(query)) : held.push(() => send(respond(query)))),
    });
    const clock = new FakeClock();
    const { ask, server } = await rig([fake], clock);
    await ask(queryFor("www.example"));
    quick = false;
    clock.advance(milliseconds(59_800));
    for (let i = 0; i < 2; i += 1) await ask(queryFor("www.example"));
    await vi.waitFor(() => expect(held.length).toBe(1));
    clock.advance(milliseconds(200));
    const late = ask(queryFor("www.example"));
    await vi.waitFor(() => expect(server.forwarder.counters.coalesced).toBe(1));
    held[0]?.();
    expect(ttlsOf(await late)).toEqual([60]);
    expect(fake.queries.length).toBe(2);
  });

  test("that cannot be had leaves the old one in its place until it expires", async () => {
    let alive = true;
    const fake = await upstream({ udp: (query, send) => alive && send(respond(query)) });
    const clock = new FakeClock();
    const { ask, count, server } = await rig([fake], clock);
    await ask(queryFor("www.example"));
    alive = false;
    clock.advance(seconds(55));
    for (let i = 0; i < 2; i += 1) await ask(queryFor("www.example"));
    await clock.run(seconds(4));
    expect(ttlsOf(await ask(queryFor("www.example")))).toEqual([1]);
    expect([count("cached"), server.forwarder.counters.refreshed]).toEqual([3, 1]);
    clock.advance(seconds(1));
    expect(ttlsOf(await inTime(clock, ask(queryFor("www.example"))))).toEqual([30]);
  });
});

describe("the budget of prefetch", () => {
  test("is a tenth of what a route may ask: many short-lived names kept warm take nothing from clients who wait", async () => {
    const held: (() => void)[] = [];
    const fake = await upstream({ udp: (query, send) => held.push(() => send(respond(query))) });
    const { server } = await rig([fake], new FakeClock());
    const { forwarder } = server;
    for (let i = 0; i < 300; i += 1) forwarder.refresh(view(queryFor(`n${i}.example`)), 0, 0);
    expect([forwarder.inFlight, forwarder.counters.refreshed]).toEqual([200, 200]);
    await vi.waitFor(() => {
      for (const answer of held.splice(0)) answer();
      expect(forwarder.inFlight).toBe(0);
    });
    forwarder.refresh(view(queryFor("later.example")), 0, 0);
    expect(forwarder.inFlight).toBe(1);
  });

  test("is nothing while half of what the route may ask is on its way for clients who wait", async () => {
    const { ask, forwarder, refresh, transport } = forwarding(new FakeClock(), { sockets: 10 });
    for (let i = 0; i < 5; i += 1) ask(`client${i}.example`);
    refresh("a.example");
    expect([transport.held.length, forwarder.counters.refreshed]).toEqual([5, 0]);
    transport.held[0]?.answer();
    await settled();
    refresh("a.example");
    expect([transport.held.length, forwarder.counters.refreshed]).toEqual([6, 1]);
  });

  test("is not spent on a question that is on its way, or has just failed, nor on a route with nobody up", async () => {
    const clock = new FakeClock();
    const { ask, refresh, routes, transport } = forwarding(clock);
    ask("a.example");
    refresh("a.example");
    expect(transport.held.length).toBe(1);
    ask("broken.example");
    for (let i = 1; i < transport.held.length && i < 9; i += 1) {
      transport.held[i]?.answer({ flags: 0x82, answers: [] });
      await settled();
    }
    const asked = transport.held.length;
    refresh("broken.example");
    expect(transport.held.length).toBe(asked);
    for (let i = 0; i < 3; i += 1) routes[0]?.upstreams[0]?.failed(clock.now(), true);
    refresh("other.example");
    expect(transport.held.length).toBe(asked);
  });

  test("is spent once in the life of an answer, however often it is asked for", () => {
    const at = bench([], ["."]);
    storedFor(at, "www.example", 60);
    const query = queryFor("www.example");
    const decide = (): number => at.resolver.decide(query, 0, query.length, LOOPBACK, 0, false, 550, at.out, 0);
    expect(Array.from({ length: 5 }, decide)).toEqual([1, 3, 1, 1, 1]);
  });

  test("is also the client's: a prefetch costs it what a question does, and over its budget it gets only the answer", () => {
    const budget = new ClientBudget({ perSecond: 12, slip: 0, exempt: [], seed: 1 });
    const at = bench([], ["."], { budget, allow: [{ family: "ipv4", address: "192.0.2.0", length: 24 }] });
    const peer = client(192, 0, 2, 1);
    storedFor(at, "www.example", 60);
    const actionOf = (tick: number): number => {
      const query = queryFor("www.example");
      return at.resolver.decide(query, 0, query.length, peer, 0, false, tick, at.out, 0);
    };
    expect([actionOf(550), actionOf(550)]).toEqual([1, 3]); // 24 at hand: 1 + 1 + 19
    storedFor(at, "www.example", 60);
    expect([actionOf(550), actionOf(550)]).toEqual([1, 1]); // 3 are left
  });
});
