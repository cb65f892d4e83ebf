import type { Prefix } from "@stitch/config";
import { writeEndpoint, ENDPOINT_BYTES } from "@stitch/linux-io";
import { describe, expect, test } from "vitest";
import { ClientBudget, COST, LIMITED, type ClientBudgetOptions } from "../src/client-budget.ts";
import { REASONS } from "../src/reasons.ts";
import { ACTION } from "../src/resolver.ts";
import { bench, client, decoded, queryFor } from "./fixtures.ts";

const EVERYBODY: readonly Prefix[] = [{ family: "ipv4", address: "0.0.0.0", length: 0 }];

function budgetOf(more: Partial<ClientBudgetOptions> = {}): ClientBudget {
  return new ClientBudget({ perSecond: 10, slip: 0, exempt: [], seed: 7, ...more });
}

/** How many of `count` queries from `peer` are within the budget. */
function within(
  budget: ClientBudget,
  peer: Uint8Array,
  count: number,
  tick: number,
  cost: number = COST.answer,
): number {
  return Array.from({ length: count }, () => budget.take(peer, 0, cost, tick)).filter(
    (limited) => limited === LIMITED.no,
  ).length;
}

function clientV6(address: string): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  expect(writeEndpoint({ address, port: 53 }, record, 0)).toBe(true);
  return record;
}

describe("rate limit: a client's network", () => {
  test("may burst for two seconds, then what it has by the second", () => {
    const budget = budgetOf();
    const peer = client(10, 1, 2, 3);
    expect(within(budget, peer, 100, 0)).toBe(20);
    expect(within(budget, peer, 100, 10)).toBe(10);
    expect(within(budget, peer, 100, 15)).toBe(5);
    expect(within(budget, peer, 100, 1_000)).toBe(20);
  });

  test("is its /24, or its /56: neighbours share, others do not", () => {
    const budget = budgetOf();
    expect(within(budget, client(10, 1, 2, 3), 100, 0)).toBe(20);
    expect(within(budget, client(10, 1, 2, 250), 100, 0)).toBe(0);
    expect(within(budget, client(10, 1, 3, 3), 100, 0)).toBe(20);
    expect(within(budget, clientV6("fd00:1:2:3300::1"), 100, 0)).toBe(20);
    expect(within(budget, clientV6("fd00:1:2:33ff::9"), 100, 0)).toBe(0);
    expect(within(budget, clientV6("fd00:1:2:3400::1"), 100, 0)).toBe(20);
  });

  test("pays nineteen times as much for what must be asked upstream", () => {
    expect(within(budgetOf({ perSecond: 100 }), client(10, 1, 2, 3), 100, 0, COST.question)).toBe(10);
  });

  test("pays for each answer, however large its budget is", () => {
    const perSecond = 2 ** 24; // the burst is 2 ** 25, where single precision has no odd numbers
    const budget = budgetOf({ perSecond });
    const peer = client(10, 1, 2, 3);
    expect(within(budget, peer, 1_000, 0)).toBe(1_000);
    expect(budget.take(peer, 0, perSecond * 2 - 1_000, 0)).toBe(LIMITED.no);
    expect(budget.take(peer, 0, COST.answer, 0)).toBe(LIMITED.drop);
  });

  test("that is exempt, and every one when there is no limit, may ask as it likes", () => {
    const exempt: readonly Prefix[] = [{ family: "ipv4", address: "10.9.0.0", length: 16 }];
    expect(within(budgetOf({ exempt }), client(10, 9, 8, 7), 1_000, 0)).toBe(1_000);
    expect(within(budgetOf({ perSecond: 0 }), client(10, 1, 2, 3), 1_000, 0)).toBe(1_000);
  });

  test("gets a hint to come over TCP now and then when it is over", () => {
    const budget = budgetOf({ slip: 3 });
    const peer = client(10, 1, 2, 3);
    within(budget, peer, 20, 0);
    const over = Array.from({ length: 9 }, () => budget.take(peer, 0, COST.answer, 0));
    expect(over.filter((limited) => limited === LIMITED.slip)).toHaveLength(3);
    expect(over.filter((limited) => limited === LIMITED.drop)).toHaveLength(6);
  });

  test("suffers little from a flood that is forged from everywhere else", () => {
    const budget = budgetOf({ perSecond: 1_000 });
    for (let i = 0; i < 200_000; i += 1) budget.take(client(i >>> 16, i >>> 8, i, 1), 0, COST.answer, 0);
    expect(within(budget, client(192, 0, 2, 1), 100, 0)).toBe(100);
  });
});

describe("the resolver", () => {
  test("drops what is over the budget, slips an empty TC, and answers the same client over TCP", () => {
    const peer = client(10, 1, 2, 3);
    const { ask, resolver } = bench([], [], { allow: EVERYBODY, budget: budgetOf({ slip: 2 }) });
    const reasons = Array.from({ length: 24 }, () => {
      const reply = ask(queryFor("localhost"), { peer });
      return [REASONS[resolver.reason], reply?.length];
    });
    expect(reasons.filter(([reason]) => reason === "local")).toHaveLength(20);
    const size = queryFor("localhost").length;
    expect(reasons.slice(20)).toEqual([
      ["rate-limited", undefined],
      ["rate-slipped", size],
      ["rate-limited", undefined],
      ["rate-slipped", size],
    ]);
    ask(queryFor("localhost"), { peer });
    const slipped = ask(queryFor("localhost"), { peer });
    expect(slipped && decoded(slipped)).toMatchObject({ flag_tc: true, answers: [], rcode: "NOERROR" });
    const overTcp = ask(queryFor("localhost"), { peer, tcp: true });
    expect(overTcp && decoded(overTcp).answers).toHaveLength(1);
  });

  // 100 among 16 workers, and the least that can be set
  test.each([100 / 16, 1])("forwards a first question however small the budget is: %d a second", (perSecond) => {
    const peer = client(10, 1, 2, 3);
    const { resolver } = bench([], ["."], { allow: EVERYBODY, budget: budgetOf({ perSecond }) });
    const out = new Uint8Array(2_048);
    const query = queryFor("www.example");
    const forwarded = Array.from({ length: 3 }, () =>
      resolver.decide(query, 0, query.length, peer, 0, false, 0, out, 0),
    );
    expect(forwarded.filter((action) => action === ACTION.forward)).toHaveLength(1);
    expect(forwarded[0]).toBe(ACTION.forward);
    expect(resolver.decide(query, 0, query.length, peer, 0, false, 200, out, 0)).toBe(ACTION.forward);
  });

  test("takes more for a question that must go upstream than for an answer at hand", () => {
    const peer = client(10, 1, 2, 3);
    const { resolver } = bench([], ["."], { allow: EVERYBODY, budget: budgetOf({ perSecond: 50 }) });
    const out = new Uint8Array(2_048);
    const forwarded = Array.from({ length: 20 }, (_, i) => {
      const query = queryFor(`n${i}.example`);
      return resolver.decide(query, 0, query.length, peer, 0, false, 0, out, 0);
    }).filter((action) => action === 2);
    expect(forwarded).toHaveLength(5);
  });
});
