import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import fc from "fast-check";
import { expect, test } from "vitest";

import { BgpSession } from "../src/index.ts";
import type { Connection, ConnectionEvents, Transport } from "../src/transport.ts";
import { encodeKeepalive, encodeMessage, encodeOpen } from "../src/wire/index.ts";
import { LOCAL, ROUTER } from "./wire-peer.ts";

// A session that is refused again and again must not turn into an attack on its router: whatever the peer does, two
// attempts are at least 0.75 s apart (metallb #1114 made many a second of a wrong AS number).

const SHORTEST_WAIT = 750;
const HOUR = 3_600;

type Deed = "open" | "keepalive" | "update" | "close" | "refuse" | "wrong-as" | "silence" | readonly [number, number];

const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.constantFrom<Deed>("open", "keepalive", "update", "close", "refuse", "wrong-as", "silence"),
  fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 11 })),
);

/** A peer that does to each connection what its list says, one deed after another, and notes when each was opened. */
class FickleTransport implements Transport {
  readonly settable = [];
  readonly opened: number[] = [];
  readonly #clock: FakeClock;
  readonly #habits: readonly (readonly Deed[])[];

  constructor(clock: FakeClock, habits: readonly (readonly Deed[])[]) {
    this.#clock = clock;
    this.#habits = habits;
  }

  connect(_target: unknown, events: ConnectionEvents): Connection {
    const deeds = this.#habits[this.opened.length % this.#habits.length] ?? [];
    this.opened.push(this.#clock.now());
    let done = false;
    const close = (): void => {
      if (!done) events.closed("closed by the peer");
      done = true;
    };
    this.#clock.after("peer", milliseconds(0), () => {
      if (deeds[0] === "refuse") return close();
      events.opened();
      for (const one of deeds) this.#do(one, close, (bytes) => void (done || events.received(bytes)));
    });
    const local = { address: "127.0.0.1", port: 1 };
    return { local, remote: local, write: (_bytes, taken) => taken(), end: close, destroy: close };
  }

  listen(): Promise<never> {
    return Promise.reject(new Error("nobody listens here"));
  }

  #do(one: Deed, close: () => void, say: (bytes: Uint8Array) => void): void {
    const open = { ...ROUTER, holdTime: 9, families: ["ipv4"] } as const;
    if (one === "close" || one === "refuse") close();
    else if (one === "open") say(encodeOpen(open));
    else if (one === "wrong-as") say(encodeOpen({ ...open, asn: 65009 }));
    else if (one === "keepalive") say(encodeKeepalive());
    else if (one === "update") say(encodeMessage("update", new Uint8Array(4)));
    else if (one !== "silence") say(encodeMessage("notification", Uint8Array.from(one)));
  }
}

function attempts(habits: readonly (readonly Deed[])[], chance: number): readonly number[] {
  const clock = new FakeClock();
  const transport = new FickleTransport(clock, habits);
  const session = new BgpSession({
    peer: { address: "127.0.0.2", asn: ROUTER.asn },
    local: LOCAL,
    clock,
    transport,
    random: () => chance,
    onEvent: () => {},
  });
  session.start();
  for (let second = 0; second < HOUR / 10; second += 10) clock.advance(seconds(10));
  return transport.opened;
}

test("two attempts are never less than 0.75 s apart, whatever the peer does", () => {
  const habits = fc.array(fc.array(deed, { maxLength: 5 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(habits, fc.double({ min: 0, max: 0.999, noNaN: true }), (list, chance) => {
      const opened = attempts(list, chance);
      const gaps = opened.slice(1).map((at, i) => at - (opened[i] ?? 0));
      expect(Math.min(SHORTEST_WAIT, ...gaps)).toBe(SHORTEST_WAIT);
      // And it never gives up: the longest wait is 60 s, after at most a hold time and a timeout.
      expect(Math.max(0, ...gaps)).toBeLessThan(100_000);
    }),
    { numRuns: 300 },
  );
});

test.each([
  ["refuses the connection", ["refuse"], 36, 55],
  ["closes every connection", ["close"], 100, 140],
  ["answers every OPEN with Cease/7", [[6, 7]], 100, 140],
  ["is in the wrong AS", ["wrong-as"], 6, 13],
  ["has had too many prefixes", ["open", "keepalive", [6, 1]], 6, 13],
] as const)("in six minutes a peer that %s is tried so often", (_name, deeds, least, most) => {
  const few = attempts([deeds], 0.999).length;
  const many = attempts([deeds], 0).length;
  expect(few).toBeGreaterThanOrEqual(least);
  expect(many).toBeLessThanOrEqual(most);
});
