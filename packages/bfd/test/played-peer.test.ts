import { milliseconds } from "@stitch/clock";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { REFUSED_REASONS, type RefusedReason } from "../src/reasons.ts";
import { MAX_READS } from "../src/session-runner.ts";
import { BFD_STATES, type ControlPacket } from "../src/wire/index.ts";
import { A, B, Bench } from "./bench.ts";
import { hex } from "./hex.ts";

const OURS = 0xa0;

/** The peer goes on as a good one for so long (ms), every 100 ms. */
async function keepSaying(bench: Bench, time: number, changes: Partial<ControlPacket> = {}): Promise<void> {
  for (let at = 0; at < time; at += 100) {
    bench.say({ state: "Up", yourDiscriminator: OURS, ...changes });
    await bench.run(100);
  }
}

function refusedBy(bench: Bench): Partial<Record<RefusedReason, number>> {
  return Object.fromEntries(Object.entries(bench.a.engine.refused).filter(([, count]) => count > 0));
}

describe("transmission", () => {
  test("carries jitter: 75 to 100 % of the interval", async () => {
    const bench = new Bench();
    bench.random = 0;
    await bench.upWithPlayed();
    const began = bench.clock.now();
    await keepSaying(bench, 3_000);
    const times = bench.fromA(began + 1).map(({ at }) => at);
    expect(times[0]).toBe(began + 225);
    expect(new Set(times.slice(1).map((at, i) => at - (times[i] ?? 0)))).toEqual(new Set([225]));
  });

  test.each([
    [0, 225],
    [1, 270],
  ])("with a multiplier of 1 at most 90 %% (random %d: %d ms)", async (random, interval) => {
    const bench = new Bench();
    bench.random = random;
    await bench.upWithPlayed(300, 1);
    const began = bench.clock.now();
    await keepSaying(bench, 1_000);
    expect(bench.fromA(began + 1)[0]?.at).toBe(began + interval);
  });

  test("follows the peer's required interval when it changes, and rests when that is zero", async () => {
    const bench = new Bench();
    await bench.upWithPlayed();
    await keepSaying(bench, 500, { requiredMinRx: 2_000_000 });
    expect(bench.a.session.transmitInterval).toBe(2_000);
    const began = bench.clock.now();
    await keepSaying(bench, 5_000, { requiredMinRx: 0 });
    expect(bench.a.session.transmitInterval).toBeUndefined();
    expect(bench.fromA(began)).toEqual([]);
    await keepSaying(bench, 1_000, { requiredMinRx: 50_000 });
    expect(bench.fromA(began).length).toBeGreaterThanOrEqual(3);
    expect(bench.a.session).toMatchObject({ state: "Up", ups: 1 });
  });

  test("rests while the peer is in demand mode and both are Up, but for polls and their answers", async () => {
    const bench = new Bench();
    await bench.upWithPlayed();
    bench.say({ state: "Up", yourDiscriminator: OURS, demand: true });
    await bench.run(1);
    const began = bench.clock.now();
    await keepSaying(bench, 2_000, { demand: true });
    expect(bench.fromA(began)).toEqual([]);
    bench.say({ state: "Up", yourDiscriminator: OURS, demand: true, poll: true });
    expect(bench.fromA(began).map(({ packet }) => packet.final)).toEqual([true]);
    bench.a.want({ address: B, interval: milliseconds(100) });
    await keepSaying(bench, 500, { demand: true });
    expect(bench.fromA(began + 1).some(({ packet }) => packet.poll)).toBe(true);
  });

  test("tells a change of state at once", async () => {
    const bench = new Bench();
    bench.a.want({ address: B });
    await bench.run(100);
    const began = bench.clock.now();
    bench.say();
    expect(bench.fromA(began).map(({ packet }) => packet.state)).toEqual(["Init"]);
    bench.say({ state: "Init", yourDiscriminator: OURS });
    expect(bench.fromA(began).at(-1)?.packet).toMatchObject({ state: "Up", poll: true, yourDiscriminator: 0xbeef });
  });
});

describe("poll and final", () => {
  test("a poll is answered at once with a final and no poll, even beside one of ours", async () => {
    const bench = new Bench();
    bench.a.want({ address: B });
    await bench.run(5);
    bench.say();
    const began = bench.clock.now();
    bench.say({ state: "Init", yourDiscriminator: OURS, poll: true });
    const bits = bench.fromA(began).map(({ packet }) => [packet.state, packet.poll, packet.final]);
    expect(bits.slice(-2)).toEqual([
      ["Up", false, true],
      ["Up", true, false],
    ]);
  });

  test("a poll goes on until a final comes; only then do longer intervals count", async () => {
    const bench = new Bench();
    await bench.upWithPlayed();
    bench.a.want({ address: B, interval: milliseconds(800) });
    const began = bench.clock.now();
    await keepSaying(bench, 2_000);
    expect(bench.a.session).toMatchObject({ transmitInterval: 300, polling: true });
    const said = bench.fromA(began + 1);
    expect(said.length).toBeGreaterThanOrEqual(6);
    for (const { packet } of said) expect(packet).toMatchObject({ poll: true, desiredMinTx: 800_000 });
    bench.say({ state: "Up", yourDiscriminator: OURS, final: true });
    expect(bench.a.session).toMatchObject({ transmitInterval: 800, polling: false });
  });

  test("a shorter detection time counts only when the peer has agreed to send as often", async () => {
    const bench = new Bench();
    await bench.upWithPlayed(300);
    bench.a.want({ address: B, interval: milliseconds(50) });
    bench.say({ state: "Up", yourDiscriminator: OURS, desiredMinTx: 50_000 });
    expect(bench.a.session).toMatchObject({ detectionTime: 900, transmitInterval: 300 });
    bench.say({ state: "Up", yourDiscriminator: OURS, desiredMinTx: 50_000, requiredMinRx: 50_000, final: true });
    expect(bench.a.session).toMatchObject({ detectionTime: 150, transmitInterval: 50 });
  });

  test("a wish changed during a poll is polled again: the final may answer the older values", async () => {
    const bench = new Bench();
    await bench.upWithPlayed();
    bench.a.want({ address: B, interval: milliseconds(500) });
    bench.a.want({ address: B, interval: milliseconds(700) });
    bench.say({ state: "Up", yourDiscriminator: OURS, final: true });
    expect(bench.a.session).toMatchObject({ polling: true, transmitInterval: 300 });
    bench.say({ state: "Up", yourDiscriminator: OURS, final: true });
    expect(bench.a.session).toMatchObject({ polling: false, transmitInterval: 700 });
  });

  test("a final that nobody asked for is nothing", async () => {
    const bench = new Bench();
    await bench.upWithPlayed();
    await keepSaying(bench, 500, { final: true });
    expect(bench.a.session).toMatchObject({ state: "Up", transmitInterval: 300 });
  });
});

describe("silence", () => {
  test("is not believed while what has arrived is unread: our own stall is no loss", async () => {
    const bench = new Bench();
    await bench.upWithPlayed(50);
    bench.say({ state: "Up", yourDiscriminator: OURS, desiredMinTx: 50_000 });
    bench.air.stall(A);
    await bench.run(140);
    bench.say({ state: "Up", yourDiscriminator: OURS, desiredMinTx: 50_000 });
    await bench.run(60);
    expect(bench.a.session).toMatchObject({ state: "Up", ups: 1 });
    expect(bench.a.changes.at(-1)?.reason).toBe("handshake-complete");
  });

  test("is believed when others' packets are all that had arrived", async () => {
    const bench = new Bench();
    await bench.upWithPlayed(50);
    bench.say({ state: "Up", yourDiscriminator: OURS, desiredMinTx: 50_000 });
    bench.air.stall(A);
    await bench.run(100);
    for (let i = 0; i < 100; i += 1) bench.say({}, "192.0.2.66");
    await bench.run(60);
    expect(bench.a.changes.at(-1)).toMatchObject({ reason: "detection-expired", lost: true });
  });

  test("is believed in the end, though a stranger's flood goes on and on", async () => {
    const bench = new Bench();
    await bench.upWithPlayed(50);
    bench.say({ state: "Up", yourDiscriminator: OURS, desiredMinTx: 50_000 });
    let reads = 0;
    bench.air.onReading = () => {
      reads += 1;
      if (reads > 10 * MAX_READS) throw new Error("it reads for ever");
      bench.say({}, "192.0.2.66");
    };
    await bench.run(160);
    expect(bench.a.changes.at(-1)).toMatchObject({ reason: "detection-expired", lost: true });
    expect(reads).toBe(MAX_READS);
  });

  test("before Up is silence too: Init goes back to Down", async () => {
    const bench = new Bench();
    bench.a.want({ address: B });
    await bench.run(5);
    bench.say();
    await bench.run(1_500);
    expect(bench.a.story.slice(1)).toEqual(["Down -> Init (peer-heard)", "Init -> Down (detection-expired)"]);
    expect(bench.a.changes.at(-1)?.lost).toBe(false);
  });

  test("a restarted peer, which knows us no more, is recognised by its address", async () => {
    const bench = new Bench();
    await bench.upWithPlayed();
    bench.say({ myDiscriminator: 0xcafe });
    expect(bench.a.changes.at(-1)).toMatchObject({ from: "Up", to: "Down", reason: "peer-down", lost: true });
    bench.say({ myDiscriminator: 0xcafe, state: "Init", yourDiscriminator: OURS });
    expect(bench.a.session).toMatchObject({ state: "Up", ups: 2, remoteDiscriminator: 0xcafe });
  });

  test("a peer that an operator shuts down stays no loss, and comes back", async () => {
    const bench = new Bench();
    await bench.upWithPlayed();
    bench.say({ state: "AdminDown", yourDiscriminator: OURS, diagnostic: 7 });
    expect(bench.a.changes.at(-1)).toMatchObject({ to: "Down", reason: "peer-admin-down", lost: false });
    expect(bench.a.session).toMatchObject({ localDiagnostic: 3, remoteDiagnostic: 7, remoteState: "AdminDown" });
    await keepSaying(bench, 500, { state: "AdminDown" });
    expect(bench.a.session.state).toBe("Down");
    bench.say();
    bench.say({ state: "Init", yourDiscriminator: OURS });
    expect(bench.a.session.state).toBe("Up");
  });
});

describe("what is refused", () => {
  const CASES: readonly (readonly [RefusedReason, (bench: Bench) => void])[] = [
    ["hop-limit", (bench) => bench.say({ state: "AdminDown", yourDiscriminator: OURS }, B, 254)],
    ["truncated", (bench) => bench.air.deliver(A, { peer: B, hopLimit: 255, bytes: hex("20 40 03 18") })],
    ["unknown-discriminator", (bench) => bench.say({ yourDiscriminator: OURS + 1 })],
    ["missing-discriminator", (bench) => bench.say({ state: "Up" })],
    ["unknown-peer", (bench) => bench.say({}, "192.0.2.66")],
    [
      "authentication",
      (bench) =>
        bench.air.deliver(A, {
          peer: B,
          hopLimit: 255,
          bytes: hex("20 44 03 1c 0000beef 00000000 000f4240 000f4240 00000000 01040161"),
        }),
    ],
  ];

  test.each(CASES)("%s: counted, and nothing else happens", async (reason, say) => {
    const bench = new Bench();
    await bench.upWithPlayed();
    const sent = bench.fromA().length;
    say(bench);
    expect(refusedBy(bench)).toEqual({ [reason]: 1 });
    expect(bench.a.session.state).toBe("Up");
    expect(bench.fromA()).toHaveLength(sent);
    expect(bench.a.session.lastRefused).toBe(reason === "unknown-peer" ? undefined : reason);
  });

  test("of a stranger's packet with everything wrong the hop limit is named first", async () => {
    const bench = new Bench();
    bench.air.deliver(A, { peer: "192.0.2.66", hopLimit: 1, bytes: hex("00") });
    bench.a.want({ address: B });
    await bench.run(5);
    bench.air.deliver(A, { peer: "192.0.2.66", hopLimit: 1, bytes: hex("00") });
    expect(refusedBy(bench)).toEqual({ "hop-limit": 1 });
  });

  test("while we say AdminDown nothing moves us", async () => {
    const bench = new Bench();
    await bench.upWithPlayed();
    void bench.a.engine.stop();
    bench.say({ state: "Up", yourDiscriminator: OURS });
    expect(refusedBy(bench)).toEqual({ "session-admin-down": 1 });
    await bench.run(2_000);
    expect(bench.air.listening).toEqual([]);
  });
});

const packet = fc.record({
  state: fc.constantFrom(...BFD_STATES),
  poll: fc.boolean(),
  final: fc.boolean(),
  demand: fc.boolean(),
  diagnostic: fc.nat({ max: 31 }),
  detectMultiplier: fc.integer({ min: 1, max: 255 }),
  myDiscriminator: fc.constantFrom(0xbeef, 0xcafe),
  yourDiscriminator: fc.constantFrom(0, OURS, OURS, OURS + 1),
  desiredMinTx: fc.constantFrom(0, 1, 50_000, 1_000_000, 0xffffffff),
  requiredMinRx: fc.constantFrom(0, 1, 50_000, 1_000_000, 0xffffffff),
});
const turn = fc.oneof(
  { weight: 6, arbitrary: fc.record({ packet }) },
  { weight: 1, arbitrary: fc.record({ bytes: fc.uint8Array({ maxLength: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ interval: fc.constantFrom(50, 300, 2_000) }) },
  { weight: 1, arbitrary: fc.record({ wait: fc.constantFrom(1, 60, 1_000, 5_000) }) },
);

describe("whatever a peer says", () => {
  test("each packet is counted once, no answer is given unasked, and a peer that comes to its senses gets the session up", async () => {
    const reached = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 40 }), async (turns) => {
        const bench = new Bench();
        bench.random = 0;
        bench.a.want({ address: B });
        await bench.run(3);
        let polls = 0;
        for (const one of turns) {
          if ("packet" in one) {
            polls += one.packet.poll ? 1 : 0;
            bench.say(one.packet);
          } else if ("bytes" in one) bench.air.deliver(A, { peer: B, hopLimit: 255, bytes: one.bytes });
          else if ("interval" in one) bench.a.want({ address: B, interval: milliseconds(one.interval) });
          else bench.clock.advance(milliseconds(one.wait));
          reached.add(bench.a.session.state);
        }
        expect(bench.fromA().filter((heard) => heard.packet.final).length).toBeLessThanOrEqual(polls);
        const counted = REFUSED_REASONS.reduce((sum, reason) => sum + bench.a.engine.refused[reason], 0);
        const arrived = turns.filter((one) => "packet" in one || "bytes" in one).length;
        expect(counted + bench.a.session.received).toBe(arrived);
        await behave(bench);
        expect(bench.a.session.state).toBe("Up");
      }),
      { numRuns: 150 },
    );
    expect([...reached].toSorted()).toEqual(["Down", "Init", "Up"]);
  }, 60_000);
});

/** A peer that follows the RFC from here on, and answers each of our packets. */
async function behave(bench: Bench): Promise<void> {
  for (let i = 0; i < 4; i += 1) {
    const ours = bench.a.session.state;
    const final = bench.a.session.polling;
    if (ours === "Down") bench.say();
    else if (ours === "Init") bench.say({ state: "Init", yourDiscriminator: OURS, final });
    else bench.say({ state: "Up", yourDiscriminator: OURS, final });
    await bench.run(1);
  }
}
