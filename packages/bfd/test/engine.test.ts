import { milliseconds } from "@stitch/clock";
import { describe, expect, test } from "vitest";

import { OPEN_RETRY } from "../src/session-runner.ts";
import { A, B, Bench } from "./bench.ts";

const UP_STORY = ["AdminDown -> Down (enabled)", "Down -> Init (peer-heard)", "Init -> Up (handshake-complete)"];

describe("two hosts", () => {
  test("come up, agree on the intervals by a poll, and stay up", async () => {
    const bench = new Bench();
    await bench.bothUp();
    expect([bench.a.story, bench.b.story]).toContainEqual(UP_STORY);
    await bench.run(20_000);
    for (const { session } of [bench.a, bench.b]) {
      expect(session).toMatchObject({ state: "Up", ups: 1, polling: false, lastRefused: undefined });
      expect(session).toMatchObject({ transmitInterval: 300, detectionTime: 900, remoteMinTx: 300, remoteMinRx: 300 });
    }
    expect(bench.a.session.remoteDiscriminator).toBe(bench.b.session.localDiscriminator);
    const polls = bench.fromA().filter(({ packet }) => packet.poll);
    expect(polls.map(({ packet }) => packet.desiredMinTx)).toEqual([300_000]);
    expect(bench.fromA().filter(({ packet }) => packet.poll && packet.final)).toEqual([]);
  });

  test("come up when a peer is wanted again before the end of its session is over", async () => {
    const bench = new Bench();
    bench.a.want({ address: B });
    bench.a.want();
    bench.a.want({ address: B });
    bench.b.want({ address: A });
    await bench.run(5_000);
    expect(bench.a.session.state).toBe("Up");
  });

  test("send once a second until they are Up", async () => {
    const bench = new Bench();
    bench.a.want({ address: B });
    await bench.run(5_050);
    expect(bench.fromA().map(({ packet }) => packet.desiredMinTx)).toEqual(Array.from({ length: 6 }, () => 1_000_000));
    expect(bench.fromA().map(({ at }) => Math.round(at / 1_000))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("use the slower of what one wants to send and the other wants to hear", async () => {
    const bench = new Bench();
    bench.a.want({ address: B, interval: milliseconds(100), multiplier: 5 });
    bench.b.want({ address: A, interval: milliseconds(400), multiplier: 2 });
    await bench.run(6_000);
    expect(bench.a.session).toMatchObject({ state: "Up", transmitInterval: 400, detectionTime: 800 });
    expect(bench.b.session).toMatchObject({ state: "Up", transmitInterval: 400, detectionTime: 2_000 });
  });

  test.each([
    [300, 900],
    [50, 150],
  ])("at %d ms x 3 find a silent cut in %d ms", async (interval, detection) => {
    const bench = new Bench();
    await bench.bothUp(milliseconds(interval));
    bench.air.cut.add(`${A}>${B}`).add(`${B}>${A}`);
    const cut = bench.clock.now();
    await bench.run(1_000);
    for (const { changes } of [bench.a, bench.b]) {
      const last = changes.at(-1);
      expect(last).toMatchObject({ from: "Up", to: "Down", reason: "detection-expired", lost: true });
      expect((last?.at ?? 0) - cut).toBeLessThanOrEqual(detection + 1);
      expect((last?.at ?? 0) - cut).toBeGreaterThan(detection - interval - 1);
    }
  });

  test("a cut of one way takes both down: one by silence, the other by the peer's word", async () => {
    const bench = new Bench();
    await bench.bothUp();
    bench.air.cut.add(`${A}>${B}`);
    await bench.run(1_000);
    expect(bench.b.changes.at(-1)).toMatchObject({ reason: "detection-expired", lost: true });
    expect(bench.a.changes.at(-1)).toMatchObject({ reason: "peer-down", lost: true });
    expect(bench.a.session).toMatchObject({ localDiagnostic: 3, remoteDiagnostic: 1 });
  });

  test("come back after a cut, and forget who the peer was meanwhile", async () => {
    const bench = new Bench();
    await bench.bothUp();
    bench.air.cut.add(`${A}>${B}`).add(`${B}>${A}`);
    await bench.run(5_000);
    expect(bench.a.session).toMatchObject({ state: "Down", remoteDiscriminator: 0, transmitInterval: 1_000 });
    expect(bench.fromA().at(-1)?.packet).toMatchObject({ yourDiscriminator: 0, diagnostic: 1, poll: false });
    bench.air.cut.clear();
    await bench.run(3_000);
    expect([bench.a.session, bench.b.session]).toMatchObject([
      { state: "Up", ups: 2 },
      { state: "Up", ups: 2 },
    ]);
  });

  test("a lost packet or two is no loss at a multiplier of 3", async () => {
    const bench = new Bench();
    await bench.bothUp();
    bench.random = 0.5;
    for (let i = 0; i < 10; i += 1) {
      bench.air.cut.add(`${B}>${A}`);
      await bench.run(520);
      bench.air.cut.clear();
      await bench.run(700);
    }
    expect(bench.a.session).toMatchObject({ state: "Up", ups: 1 });
  });
});

describe("a planned end", () => {
  test("is AdminDown for a detection time, and no loss at either end", async () => {
    const bench = new Bench();
    await bench.bothUp();
    const began = bench.clock.now();
    const stopped = bench.a.engine.stop().then(() => bench.clock.now() - began);
    await bench.run(2_000);
    expect(await stopped).toBe(900);
    const said = bench.fromA(began).map(({ packet }) => packet);
    expect(said.length).toBeGreaterThanOrEqual(3);
    for (const packet of said) expect(packet).toMatchObject({ state: "AdminDown", diagnostic: 7 });
    expect(bench.b.changes.at(-1)).toMatchObject({ to: "Down", reason: "peer-admin-down", lost: false });
    expect(bench.a.changes.at(-1)).toMatchObject({ to: "AdminDown", reason: "disabled", lost: false });
    expect(bench.air.listening).toEqual([B]);
    // What still runs is the other host's.
    expect(bench.clock.waiting.toSorted()).toEqual(["bfd-detection", "bfd-transmit"]);
  });

  test("is told though the first packets of it are lost", async () => {
    const bench = new Bench();
    await bench.bothUp();
    bench.air.cut.add(`${A}>${B}`);
    void bench.a.engine.stop();
    await bench.run(400);
    bench.air.cut.clear();
    await bench.run(1_000);
    expect(bench.b.changes.at(-1)).toMatchObject({ reason: "peer-admin-down", lost: false });
  });

  test("of a session that was not up takes no time", async () => {
    const bench = new Bench();
    bench.a.want({ address: B });
    await bench.run(1_500);
    const began = bench.clock.now();
    const stopped = bench.a.engine.stop().then(() => bench.clock.now() - began);
    await bench.run(20);
    expect(await stopped).toBeLessThan(20);
    expect(bench.fromA().at(-1)?.packet.state).toBe("AdminDown");
  });

  test("of nothing at all is over at once, and so is one before the sockets are open", async () => {
    const bench = new Bench();
    await bench.a.engine.stop();
    bench.b.want({ address: A });
    await bench.b.engine.stop();
    await bench.run(10);
    expect(bench.air.listening).toEqual([]);
    expect(bench.air.heard).toEqual([]);
  });

  test("can be taken back: the same session comes up again", async () => {
    const bench = new Bench();
    await bench.bothUp();
    bench.a.want();
    await bench.run(100);
    expect(bench.b.session.state).toBe("Down");
    bench.a.want({ address: B });
    await bench.run(3_000);
    expect(bench.a.session).toMatchObject({ state: "Up", ups: 2 });
    expect(bench.a.story.filter((line) => line.includes("AdminDown"))).toEqual([
      "AdminDown -> Down (enabled)",
      "Up -> AdminDown (disabled)",
      "AdminDown -> Down (enabled)",
    ]);
  });

  test("with slow timers ends after three seconds", async () => {
    const bench = new Bench();
    bench.a.want({ address: B, interval: milliseconds(10_000), multiplier: 50 });
    bench.b.want({ address: A, interval: milliseconds(10_000), multiplier: 50 });
    await bench.run(40_000);
    expect(bench.a.session.state).toBe("Up");
    const began = bench.clock.now();
    const stopped = bench.a.engine.stop().then(() => bench.clock.now() - began);
    await bench.run(4_000);
    expect(await stopped).toBe(3_000);
  });
});

describe("a changed wish", () => {
  test("takes new intervals by a poll and keeps the session", async () => {
    const bench = new Bench();
    await bench.bothUp();
    const began = bench.clock.now();
    const faster = { interval: milliseconds(50), multiplier: 4 };
    bench.a.want({ address: B, ...faster });
    bench.b.want({ address: A, ...faster });
    await bench.run(2_000);
    expect(bench.a.session).toMatchObject({ state: "Up", ups: 1, transmitInterval: 50, detectionTime: 200 });
    expect(bench.fromA(began).some(({ packet }) => packet.poll && packet.desiredMinTx === 50_000)).toBe(true);
    bench.a.want({ address: B, interval: milliseconds(700) });
    await bench.run(5_000);
    expect(bench.a.session).toMatchObject({ state: "Up", ups: 1, transmitInterval: 700, polling: false });
    expect(bench.b.session).toMatchObject({ state: "Up", ups: 1, detectionTime: 2_100, transmitInterval: 700 });
  });

  test("leaves sessions that stay alone", async () => {
    const bench = new Bench();
    await bench.bothUp();
    bench.a.want({ address: B }, { address: "192.0.2.3" });
    await bench.run(100);
    bench.a.want({ address: B });
    await bench.run(2_000);
    expect(bench.a.session).toMatchObject({ state: "Up", ups: 1 });
    expect(bench.a.engine.sessions).toHaveLength(1);
  });

  test("with another local address ends one session and begins another", async () => {
    const bench = new Bench();
    await bench.bothUp();
    const before = bench.a.session;
    bench.a.want({ address: B, localAddress: "192.0.2.9" });
    await bench.run(10);
    expect(bench.a.session.localDiscriminator).not.toBe(before.localDiscriminator);
    expect(bench.a.session.localAddress).toBe("192.0.2.9");
    expect(bench.b.changes.at(-1)?.reason).toBe("peer-admin-down");
    expect(bench.air.listening).toContain("192.0.2.9");
    await bench.run(2_000);
    expect(bench.air.listening).not.toContain(A);
  });
});

describe("sockets", () => {
  test("that cannot be opened are a problem with a sentence, tried again every second", async () => {
    const bench = new Bench();
    bench.air.unbindable.add(A);
    bench.a.want({ address: B });
    bench.b.want({ address: A });
    await bench.run(2_500);
    expect(bench.a.session).toMatchObject({
      state: "AdminDown",
      sent: 0,
      problem: { reason: "cannot-bind", text: `cannot bind ${A}` },
    });
    bench.air.unbindable.clear();
    await bench.run(OPEN_RETRY + 3_000);
    expect(bench.a.session).toMatchObject({ state: "Up", problem: undefined });
  });

  test("one listens for all sessions of an address; each session has a source port of its own", async () => {
    const bench = new Bench();
    bench.a.want({ address: B }, { address: "192.0.2.3" }, { address: "192.0.2.4" });
    await bench.run(10);
    expect(bench.air.listening).toEqual([A]);
    expect(new Set(bench.fromA().map(({ port }) => port)).size).toBe(3);
    expect(new Set(bench.a.engine.sessions.map((session) => session.localDiscriminator)).size).toBe(3);
    bench.a.want();
    await bench.run(10);
    expect(bench.air.listening).toEqual([]);
  });
});
