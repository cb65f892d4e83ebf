import { FakeClock } from "@stitch/clock/testing";
import { describe, expect, test } from "vitest";
import { REASON } from "../src/reasons.ts";
import { mostSockets } from "../src/upstream/shares.ts";
import { bench, LOOPBACK, queryFor, view, zoneFrom } from "./fixtures.ts";
import { forwarding, settled, type Forwarding } from "./held-transport.ts";

/** Names of local data that lead into each of two routes, 62 into either. */
const LEADING = Array.from({ length: 62 }, (_, i) => [`c${i} CNAME n${i}.corp.test.`, `l${i} CNAME n${i}.lab.test.`]);
const ZONE = zoneFrom(`$ORIGIN local.test.\n$TTL 60\n@ SOA ns x 1 1 1 1 30\n${LEADING.flat().join("\n")}\n`);

interface Leading extends Forwarding {
  /** Every name, from as many clients as one question may have. */
  askAll(): void;
}

function leading(workers: number): Leading {
  const { claims } = bench([ZONE], ["corp.test", "lab.test"]).resolver;
  const made = forwarding(new FakeClock(), { zones: ["corp.test", "lab.test"], names: claims, workers });
  const waiter = { query: queryFor("x"), peer: LOOPBACK, tcp: false, reply: () => {} };
  const askAll = (): void => {
    for (let i = 0; i < 62; i += 1) {
      for (const letter of ["c", "l"]) {
        const query = view(queryFor(`${letter}${i}.local.test`));
        for (let client = 0; client < 64; client += 1) {
          made.forwarder.ask(query, claims.placeOf(query), 0, waiter);
        }
      }
    }
  };
  return { ...made, askAll };
}

function busy({ outcomes }: Forwarding): number {
  return outcomes.filter((outcome) => outcome.kind === "failed" && outcome.reason === REASON.upstreamBusy).length;
}

// Their queries are kept as those of other clients are, but stand in no route's account until the alias has been followed.
describe("clients who wait for what local names lead to", () => {
  test.each([
    [1, 4_000],
    [2, 2_000],
  ])("are bounded by themselves, however many routes these are: of %i workers each has %i", async (workers, most) => {
    const at = leading(workers);
    at.askAll();
    await settled();
    expect([at.outcomes.length, busy(at)]).toEqual([7_936 - most, 7_936 - most]);
  });

  test("make room when they have been answered", async () => {
    const at = leading(1);
    at.askAll();
    for (let round = 0; round < 3; round += 1) {
      for (const { answer } of at.transport.held) answer();
      await settled();
    }
    expect(at.outcomes.length).toBe(7_936);
    const before = busy(at);
    at.askAll();
    await settled();
    expect(at.outcomes.length).toBe(2 * 7_936);
    expect(busy(at) - before).toBe(7_936 - 4_000); // all at once again, though from the cache
  });
});

describe("the questions of one route", () => {
  test("are no more than its share of the sockets, and a reload that brings routes shares these out anew", () => {
    const { ask, forwarder, outcomes, routes, transport } = forwarding(new FakeClock(), { sockets: 10 });
    for (let i = 0; i < 12; i += 1) ask(`n${i}.example`);
    expect([transport.held.length, outcomes.length, forwarder.perRoute]).toEqual([10, 2, 10]);
    const [route] = routes;
    if (route === undefined) throw new Error("no route");
    const more = Array.from({ length: 5 }, (_, i) => [i, { ...route, inFlight: 0, waiting: 0 }] as const);
    forwarder.adopt(new Map(more), { maxTtl: 60, negativeTtl: 60 });
    expect(forwarder.perRoute).toBe(2);
    for (let i = 0; i < 3; i += 1) ask(`m${i}.example`, 4);
    expect([transport.held.length, outcomes.length]).toEqual([12, 3]);
  });

  test("have 64 clients each at most: one name that everybody asks for costs so many small records", () => {
    const { ask, forwarder, outcomes } = forwarding(new FakeClock());
    for (let i = 0; i < 100; i += 1) ask("www.example");
    expect([forwarder.inFlight, outcomes.length]).toEqual([1, 36]);
  });

  test("are not put any more while 4,000 clients wait for the others, though there is room for questions", () => {
    const { ask, outcomes, transport } = forwarding(new FakeClock());
    for (let client = 0; client < 64; client += 1) for (let i = 0; i < 62; i += 1) ask(`n${i}.example`);
    for (let i = 0; i < 40; i += 1) ask(`m${i}.example`);
    expect([transport.held.length, outcomes.length]).toEqual([62 + 32, 8]);
  });

  // CVE-2025-5994 class: each that is open is another chance for a forger.
  test("are open once at each server: one that is put again ends the one before", async () => {
    const { ask, transport } = forwarding(new FakeClock());
    ask("www.example");
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(transport.held.map(({ ended }) => !ended)).toEqual(
        Array.from({ length: attempt }, (_, i) => i + 1 === attempt),
      );
      transport.held.at(-1)?.request.onOverdue();
      await settled();
    }
    expect(transport.held.length).toBe(3);
  });

  test("leave 64 sockets for probes, and are no more than there are ports", () => {
    expect([mostSockets(100), mostSockets(), mostSockets(1e6)]).toEqual([164, 65_536, 65_536]);
  });

  test("are 2,000 at once: a dead route leaves the sockets and the memory to others", () => {
    const { ask, outcomes, transport } = forwarding(new FakeClock());
    for (let i = 0; i < 2_010; i += 1) ask(`n${i}.example`);
    expect([transport.held.length, outcomes.length]).toEqual([2_000, 10]);
  });
});
