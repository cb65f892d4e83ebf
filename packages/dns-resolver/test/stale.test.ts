import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import type { Packet } from "dns-packet";
import { describe, expect, test, vi } from "vitest";
import { respond, type FakeUpstream } from "./fake-upstream.ts";
import { decoded, queryFor, ttlsOf, soaFor } from "./fixtures.ts";
import { passing, rig, upstream, type Rig } from "./rig.ts";

const SOA = soaFor(60);

interface Failing extends Rig {
  readonly fake: FakeUpstream;
  readonly clock: FakeClock;
  /** How the upstream answers from now on; silence when undefined. */
  become(fields: Partial<Packet> | undefined): void;
}

/** An answer that has been cached, and has expired. */
async function expired(first: Partial<Packet> = {}): Promise<Failing> {
  let now: Partial<Packet> | undefined = first;
  const fake = await upstream({ udp: (query, send) => now !== undefined && send(respond(query, now)) });
  const clock = new FakeClock();
  const made = await rig([fake], clock);
  await made.ask(queryFor("www.example"));
  clock.advance(seconds(60));
  return { ...made, fake, clock, become: (fields) => (now = fields) };
}

const www = (id = 1): Uint8Array => queryFor("www.example", { id, edns: {} });

// RFC 8767 section 5, timer by timer.
describe("serve-stale: an expired answer", () => {
  test("is given after 1.8 s, the client response timer, not before, with TTL 30", async () => {
    const { ask, become, clock, count, fake } = await expired();
    become(undefined);
    const reply = ask(www());
    await vi.waitFor(() => expect(fake.queries.length).toBe(2));
    await clock.run(milliseconds(1_750));
    expect(count("stale")).toBe(0);
    await clock.run(milliseconds(100));
    expect(count("stale")).toBe(1);
    expect(decoded(await reply)).toMatchObject({ rcode: "NOERROR", answers: [{ ttl: 30 }] });
  });

  test.each([
    ["SERVFAIL", 0x82],
    ["REFUSED", 0x85],
  ])("is given at once when every attempt ends in %s", async (_, flags) => {
    const { ask, become, count } = await expired();
    become({ flags, answers: [] });
    expect(ttlsOf(await ask(www()))).toEqual([30]);
    expect(count("stale")).toBe(1);
  });

  test.each([
    ["NXDOMAIN", 0x83],
    ["NOERROR", 0x80],
  ])("is never given in place of %s, which takes its place", async (rcode, flags) => {
    const { ask, become, count } = await expired();
    become({ flags, answers: [], authorities: [SOA] });
    expect(decoded(await ask(www()))).toMatchObject({ rcode, answers: [] });
    become(undefined);
    expect(decoded(await ask(www()))).toMatchObject({ rcode, answers: [] });
    expect([count("stale"), count("cached")]).toEqual([0, 1]);
  });

  test("is refreshed no more often than every 30 s while that fails, and given at once meanwhile", async () => {
    const { ask, become, clock, count, fake } = await expired();
    become({ flags: 0x82, answers: [] });
    await ask(www());
    const asked = fake.queries.length;
    clock.advance(milliseconds(29_900));
    expect(ttlsOf(await ask(www()))).toEqual([30]);
    expect([fake.queries.length, count("stale")]).toEqual([asked, 2]);
    clock.advance(milliseconds(200));
    become({});
    expect(ttlsOf(await ask(www()))).toEqual([60]);
    expect(fake.queries.length).toBe(asked + 1);
  });

  test("is given for the maximum stale time, and then no more", async () => {
    const { ask, become, clock, count } = await expired();
    become({ flags: 0x82, answers: [] });
    clock.advance(seconds(3_599));
    expect(ttlsOf(await ask(www()))).toEqual([30]);
    clock.advance(seconds(31));
    expect(decoded(await ask(www())).rcode).toBe("SERVFAIL");
    expect([count("stale"), count("upstream-failed")]).toEqual([1, 1]);
  });

  test("that says NXDOMAIN is marked as such (RFC 8914)", async () => {
    const { ask, become } = await expired({ flags: 0x83, answers: [], authorities: [SOA] });
    become({ flags: 0x82, answers: [] });
    const reply = await ask(www());
    expect(decoded(reply)).toMatchObject({ rcode: "NXDOMAIN", authorities: [{ ttl: 30 }] });
    expect(reply.subarray(-6)).toEqual(Buffer.of(0, 15, 0, 2, 0, 19));
  });

  test("is given at once when every upstream of the route is down", async () => {
    const { ask, become, clock, count, health } = await expired();
    become(undefined);
    for (let i = 1; i <= 3; i += 1) {
      void ask(queryFor(`n${i}.example`));
      await passing(clock, () => count("upstream-failed") === i);
    }
    await passing(clock, () => health.verdict === "degraded");
    const reply = ask(www());
    await clock.run(milliseconds(50)); // an attempt would take 600 ms
    expect(count("stale")).toBe(1);
    expect(ttlsOf(await reply)).toEqual([30]);
  });
});

test("late answers are stored: what comes after the client got the expired one is there for the next", async () => {
  const clock = new FakeClock();
  let send: (() => void) | undefined;
  const fake = await upstream({
    udp: (query, sendNow) => {
      if (fake.queries.length === 1) sendNow(respond(query));
      else send = () => sendNow(respond(query));
    },
  });
  const { ask, count } = await rig([fake], clock);
  await ask(www());
  clock.advance(seconds(60));
  const expiredOne = ask(www());
  await passing(clock, () => count("stale") === 1);
  expect(ttlsOf(await expiredOne)).toEqual([30]);
  await vi.waitFor(() => expect(fake.queries.length).toBe(4));
  send?.(); // the answer to the last attempt
  await vi.waitFor(async () => expect(ttlsOf(await ask(www(2)))).toEqual([60]));
  expect(count("cached")).toBe(1);
});
