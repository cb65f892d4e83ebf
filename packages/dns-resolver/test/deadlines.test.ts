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

const WAITS: readonly Duration[] = [milliseconds(100), milliseconds(600), seconds(1), seconds(2)];

/** What is done to item `who`; an item that is told does one of these too. */
const step = fc.record({
  what: fc.constantFrom("begin", "end"),
  who: fc.nat(11),
  wait: fc.constantFrom(...WAITS),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Two lists on one clock, and what is to be true of them. */
class Model {
  readonly clock: FakeClock;
  readonly told: { readonly due: number; readonly at: number }[] = [];
  readonly #due = new Map<Item, number>();
  readonly #items = Array.from({ length: 12 }, (_, name) => new Item(name));
  readonly #lists: readonly Deadlines<Item>[];
  readonly #then: Step[];

  constructor(clock: FakeClock, then: readonly Step[]) {
    this.clock = clock;
    this.#then = [...then];
    this.#lists = ["even", "odd"].map((name) => new Deadlines<Item>(clock, name, (item) => this.#tell(item)));
  }

  /** As the one who asks does: an item that waits is ended before it begins again. */
  do({ what, who, wait }: Step): void {
    const item = this.#items[who] as Item;
    const list = this.#lists[who % 2] as Deadlines<Item>;
    if (what === "end" || this.#due.delete(item)) list.end(item);
    this.#due.delete(item);
    if (what === "end") return;
    list.begin(item, wait);
    this.#due.set(item, this.clock.now() + wait);
  }

  /** Of those who wait, when the first is due. */
  get first(): number {
    return Math.min(Infinity, ...this.#due.values());
  }

  #tell(item: Item): void {
    const due = this.#due.get(item);
    expect(due).toBeDefined();
    this.#due.delete(item);
    this.told.push({ due: due ?? NaN, at: this.clock.now() });
    const next = this.#then.shift();
    if (next !== undefined) this.do(next);
  }
}

test("everybody is told at his own time, and nobody who has gone, whatever those do who are told", () => {
  const paced = fc.record({ step, pause: fc.integer({ min: 0, max: 300 }) });
  fc.assert(
    fc.property(fc.array(paced, { maxLength: 60 }), fc.array(step, { maxLength: 60 }), (steps, then) => {
      const model = new Model(new FakeClock(), then);
      const { clock } = model;
      const check = (): void => {
        expect(model.first).toBeGreaterThan(clock.now());
        expect(clock.waiting.length).toBeLessThanOrEqual(2);
        expect(model.first < Infinity && clock.waiting.length === 0).toBe(false);
      };
      for (const { step: its, pause } of steps) {
        model.do(its);
        clock.advance(milliseconds(pause));
        check();
      }
      for (let i = 0; i < 200; i += 1) {
        clock.advance(seconds(1));
        check();
      }
      expect(model.first).toBe(Infinity);
      expect(clock.waiting).toEqual([]);
      for (const { due, at } of model.told) expect(at).toBe(due);
    }),
  );
});

// Node's timers count whole milliseconds from a whole millisecond, and so fire early by up to two.
test("a timer that fires early is set again, a few times at most", () => {
  let set = 0;
  class Whole extends FakeClock {
    override after(name: string, delay: Duration, fire: () => void): Timer {
      set += 1;
      const at = Math.floor(this.now()) + Math.max(1, Math.trunc(delay));
      return super.after(name, milliseconds(Math.max(0, at - this.now())), fire);
    }
  }
  const paced = fc.record({ step, pause: fc.integer({ min: 0, max: 30_000 }) });
  fc.assert(
    fc.property(fc.array(paced, { maxLength: 60 }), (steps) => {
      set = 0;
      const model = new Model(new Whole(), []);
      for (const { step: its, pause } of steps) {
        model.do(its);
        model.clock.advance(milliseconds(pause / 97));
      }
      model.clock.advance(seconds(5));
      for (const { due, at } of model.told) {
        expect(at).toBeGreaterThanOrEqual(due);
        expect(at).toBeLessThan(due + 2);
      }
      expect(set).toBeLessThanOrEqual(4 * steps.length);
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

test("what it takes to tell many does not make the next one late", () => {
  const clock = new FakeClock();
  const told: number[] = [];
  const deadlines = new Deadlines<Item>(clock, "test", () => {
    told.push(clock.now());
    if (told.length === 1) clock.advance(milliseconds(150)); // as a thousand do
  });
  deadlines.begin(new Item(0), seconds(1));
  clock.advance(milliseconds(200));
  deadlines.begin(new Item(1), seconds(1));
  clock.advance(seconds(5));
  expect(told).toEqual([1_000, 1_200]);
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
