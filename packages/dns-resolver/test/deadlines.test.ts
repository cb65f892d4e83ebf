import { milliseconds, seconds, type Duration, type Timer } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Dated, Deadlines } from "../src/upstream/deadlines.ts";

class Item extends Dated {
  readonly name: number;

  constructor(name: number) {
    super();
    this.name = name;
  }
}

test("everybody is told at his own time, and nobody who has gone", () => {
  const wait = fc.constantFrom<Duration>(milliseconds(100), milliseconds(600), seconds(1), seconds(2));
  const step = fc.record({ wait, pause: fc.integer({ min: 0, max: 300 }), ends: fc.option(fc.nat(40)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const clock = new FakeClock();
      const told: [number, number][] = [];
      const due = new Map<number, number>();
      const deadlines = new Deadlines<Item>(clock, "test", ({ name }) => told.push([name, clock.now()]));
      const items: Item[] = [];
      for (const { wait: its, pause, ends } of steps) {
        clock.advance(milliseconds(pause));
        const item = new Item(items.length);
        items.push(item);
        deadlines.begin(item, its);
        due.set(item.name, clock.now() + its);
        const gone = ends === null ? undefined : items[ends];
        if (gone === undefined) continue;
        deadlines.end(gone);
        if (!told.some(([name]) => name === gone.name)) due.delete(gone.name);
      }
      clock.advance(seconds(5));
      expect(told.toSorted(([a], [b]) => a - b)).toEqual([...due]);
    }),
  );
});

test("one who is overdue may get another deadline, and end the others", () => {
  const clock = new FakeClock();
  const items = [0, 1, 2].map((name) => new Item(name));
  const told: string[] = [];
  const deadlines = new Deadlines<Item>(clock, "test", (item) => {
    told.push(`${item.name} at ${clock.now()}`);
    if (told.length === 1) deadlines.begin(item, seconds(2));
    deadlines.end(items[1] as Item);
  });
  for (const item of items) deadlines.begin(item, seconds(1));
  clock.advance(seconds(5));
  expect(told).toEqual(["0 at 1000", "2 at 1000", "0 at 3000"]);
});

test("one timer for all, which is set once in a while, and none once nobody is left", () => {
  let set = 0;
  class Counting extends FakeClock {
    override after(...given: Parameters<FakeClock["after"]>): Timer {
      set += 1;
      return super.after(...given);
    }
  }
  const clock = new Counting();
  const deadlines = new Deadlines<Item>(clock, "test", () => {});
  for (let n = 0; n < 1_100; n += 1) {
    const item = new Item(n);
    deadlines.begin(item, milliseconds(600));
    clock.advance(milliseconds(1));
    deadlines.end(item);
  }
  expect(set).toBe(2); // at once, and by the first that came after it had fired
  clock.advance(seconds(5));
  expect(set).toBe(2);
});
