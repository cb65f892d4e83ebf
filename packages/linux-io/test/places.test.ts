import { expect, test } from "vitest";
import { Places } from "../src/places.ts";

test("the lowest place last used goes first, and no more are taken than may be", () => {
  const places = new Places(2, 4);
  expect([places.take(), places.take(), places.take()]).toEqual([0, 1, -1]);
  expect(places.give(1)).toBe(true);
  expect(places.give(1)).toBe(false);
  expect(places.take()).toBe(1);
  expect(places.end).toBe(6);
});

test("what is given back during a batch rests until it is over", () => {
  const places = new Places(1, 2);
  expect(places.take()).toBe(0);
  places.hold();
  places.give(0);
  expect(places.has(0)).toBe(false);
  expect(places.take()).toBe(1);
  places.give(1);
  expect(places.take()).toBe(2);
  places.give(2);
  expect(places.take()).toBe(-1); // three sockets in one batch: the fourth waits
  places.release();
  expect(places.taken).toBe(0);
  expect(places.take()).toBe(2);
});
