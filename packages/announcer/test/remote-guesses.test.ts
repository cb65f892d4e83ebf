import { minutes } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { GuessLimit } from "../src/remote-guesses.ts";

let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
});

describe("the limit of guesses", () => {
  test.each([
    ["fd00:1:2:3::1", "fd00:1:2:3:ffff:ffff:ffff:ffff", true],
    ["fd00:1:2:3::1", "fd00:1:2:4::1", false],
    ["fe80::1%eth0", "fe80::2", true],
    ["::1", "::2", true],
    ["10.1.0.5", "10.1.0.6", false],
  ])("%s and %s are one source: %s", (one, other, same) => {
    const limit = new GuessLimit(clock);
    for (let guess = 0; guess < 5; guess += 1) limit.note(one);
    expect([limit.exhausted(one), limit.exhausted(other)]).toEqual([true, same]);
  });

  test("remembers so many sources and forgets the oldest", () => {
    const limit = new GuessLimit(clock);
    for (let guess = 0; guess < 5; guess += 1) limit.note("10.1.0.5");
    for (let source = 0; source < 5_000; source += 1) limit.note(`10.2.${source >> 8}.${source & 255}`);
    expect([limit.remembered, limit.exhausted("10.1.0.5")]).toEqual([1_024, false]);
  });

  test("lets a source that fails now and then begin anew", () => {
    const limit = new GuessLimit(clock);
    for (let guess = 0; guess < 20; guess += 1) {
      limit.note("10.1.0.5");
      expect(limit.exhausted("10.1.0.5")).toBe(false);
      clock.advance(minutes(0.5));
    }
  });
});
