import { milliseconds, seconds } from "@stitch/clock";
import { FakeClock } from "@stitch/clock/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { BgpListener, BgpSession, formatPrefix, parsePrefix, type Prefix, type SessionEvent } from "../src/index.ts";
import { PipeNetwork } from "../src/pipe-transport.ts";

// Whatever happens in whatever order: once the network is whole and the session started, the peer has the wish.

const PREFIXES = Array.from({ length: 6 }, (_, i) => parsePrefix(`10.10.10.${i}/32`)).filter(
  (prefix): prefix is Prefix => prefix !== undefined,
);
const ADDRESS = "127.0.0.2";

class World {
  readonly clock = new FakeClock();
  readonly network = new PipeNetwork(this.clock);
  readonly listener: BgpListener;
  readonly session: BgpSession;
  wish: readonly Prefix[] = [];
  running = false;
  /** What the owner asks for at the next event, in the middle of it. */
  reaction: (() => void) | undefined;

  constructor(peers: "any" | "named", random: () => number) {
    const common = { clock: this.clock, transport: this.network, random };
    this.listener = new BgpListener({
      ...common,
      local: { asn: 65001, routerId: "192.0.2.1" },
      peers: peers === "any" ? "any" : [{ address: "127.0.0.1", asn: 65101 }],
      watchAll: 100,
      onEvent: () => {},
    });
    this.session = new BgpSession({
      ...common,
      local: { asn: 65101, routerId: "192.0.2.2" },
      peer: { address: ADDRESS, asn: 65001 },
      onEvent: (event) => this.react(event),
    });
    void this.listener.listen(ADDRESS, 179);
  }

  start(): void {
    this.running = true;
    this.session.start();
  }

  stop(): void {
    this.running = false;
    void this.session.stop("test");
  }

  /** The peer closes whatever is opened to it, as BIRD does while it still holds an old session. */
  refuse(): void {
    void this.network.listen({ address: ADDRESS, port: 179 }, () => undefined);
  }

  react(_event: SessionEvent): void {
    const { reaction } = this;
    this.reaction = undefined;
    reaction?.();
  }

  set(mask: number): void {
    this.wish = PREFIXES.filter((_, i) => (mask & (1 << i)) !== 0);
    this.session.set(this.wish.map((prefix) => ({ prefix, med: mask })));
  }

  /** TCP would send again what was lost, this network does not: so no connection outlives a cut. */
  mend(): void {
    if (this.network.cut) this.clock.advance(seconds(20));
    this.network.cut = false;
  }

  heal(): void {
    this.reaction = undefined;
    this.mend();
    this.network.resume();
    void this.listener.listen(ADDRESS, 179);
    for (const session of this.listener.sessions) session.start();
    // A session that was never stopped must come back by itself.
    if (!this.running) this.start();
  }

  get held(): string[] {
    return this.listener.sessions.flatMap(({ paths }) => paths.map(({ prefix }) => formatPrefix(prefix))).toSorted();
  }
}

type Deed = (world: World) => void;

const quiet: fc.Arbitrary<Deed> = fc.oneof(
  fc.nat({ max: 63 }).map(
    (mask): Deed =>
      (world) =>
        world.set(mask),
  ),
  fc.constant<Deed>((world) => world.start()),
  fc.constant<Deed>((world) => world.stop()),
  fc.constant<Deed>((world) => world.refuse()),
  fc.constant<Deed>((world) => void world.listener.listen(ADDRESS, 179)),
  fc.constant<Deed>((world) => void world.listener.sessions[0]?.stop("test")),
  fc.constant<Deed>(({ network }) => void (network.cut = true)),
  fc.constant<Deed>((world) => world.mend()),
  fc.constant<Deed>(({ network }) => (network.stalled ? network.resume() : void (network.stalled = true))),
);
const time: fc.Arbitrary<Deed> = fc.constantFrom(0.5, 1, 3, 50, 999, 1_000, 3_000, 9_000, 19_000, 61_000).map(
  (ms): Deed =>
    ({ clock }) =>
      clock.advance(milliseconds(ms)),
);
const deeds = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: time },
    { weight: 3, arbitrary: quiet },
    {
      weight: 1,
      arbitrary: quiet.map(
        (deed): Deed =>
          (world) =>
            void (world.reaction = () => deed(world)),
      ),
    },
  ),
  { maxLength: 40 },
);

describe("in any order of wishes, stops, starts, stalls and cuts", () => {
  test.each(["any", "named"] as const)("the wish is at the peer in the end (listener for %s peers)", (peers) => {
    fc.assert(
      fc.property(deeds, fc.double({ min: 0, max: 0.999, noNaN: true }), (list, chance) => {
        const world = new World(peers, () => chance);
        world.start();
        for (const deed of list) deed(world);
        world.heal();
        // The longest wait is a penalty of 60 s; a peer that still holds the old session lets go within its hold time.
        world.clock.advance(seconds(90));
        expect(world.session.state).toBe("Established");
        expect(world.held).toEqual(world.wish.map(formatPrefix).toSorted());
        expect(world.session.status.announced.toSorted()).toEqual(world.held);
        expect(world.clock.waiting.filter((name) => name === "hold")).toHaveLength(2);
      }),
      { numRuns: 300 },
    );
  });
});
