import { type Peer, peer } from "@stitch/peers";
import { afterEach, describe, expect, test } from "vitest";

import { describeUnless, lacking } from "../lacking.ts";
import { startBird } from "./bfd/bird.ts";
import { Cut } from "./bfd/cut.ts";
import { type FrrRouter, startFrr } from "./bfd/frr.ts";
import { Host, type Timers } from "./bfd/host.ts";
import type { Router } from "./bfd/router.ts";
import { eventually, Wire } from "./bgp/wire.ts";

const ROUTERS = ["frr", "bird"] as const;
type RouterName = (typeof ROUTERS)[number];

const DEFAULT: Timers = { interval: 300, multiplier: 3 };
const FAST: Timers = { interval: 50, multiplier: 3 };
/** What a busy machine may add to a time that is measured (ms). */
const SLACK = 3_000;
/** Silent cuts at 50 ms x 3; the best of them shows what the program can do, the others what the machine did to it. */
const CUTS = 5;

const STARTERS: Readonly<Record<RouterName, (found: Peer, wire: Wire, timers: Timers) => Promise<Router>>> = {
  frr: startFrr,
  bird: startBird,
};

// Without the addon no hop limit is known, and BFD does not run.
const lacks = await lacking({ namespaces: true, addon: true, peers: ["nft", ...ROUTERS] });

function shows(router: Router, isUp: boolean): Promise<boolean> {
  return eventually(`the router's side is ${isUp ? "up" : "down"}`, 30_000, async () =>
    (await router.session())?.up === isUp ? true : undefined,
  );
}

describeUnless(lacks, "our BFD and a router", () => {
  let wire: Wire;
  let host: Host | undefined;

  afterEach(async () => {
    await host?.stop();
    host = undefined;
    await wire?.close();
  });

  async function up(name: RouterName, timers: Timers = DEFAULT, routers: Timers = timers): Promise<[Host, Router]> {
    wire = await Wire.lay();
    const router = await STARTERS[name](await peer(name), wire, routers);
    host = new Host(wire, timers);
    await host.up();
    await shows(router, true);
    return [host, router];
  }

  describe.each(ROUTERS)("%s", (name) => {
    test("comes up with the intervals that both can do", async () => {
      const [ours, router] = await up(name, { interval: 100, multiplier: 5 }, { interval: 400, multiplier: 2 });
      const agreed = await eventually("the router has agreed", 30_000, async () => {
        const shown = await router.session();
        return shown?.transmitInterval === 400 ? shown : undefined;
      });
      expect(agreed).toEqual({ up: true, transmitInterval: 400, detectionTime: 2_000 });
      expect(ours.session).toMatchObject({ transmitInterval: 400, detectionTime: 800, remoteMultiplier: 2 });
      expect(ours.changes.at(-1)?.change).toMatchObject({ to: "Up", reason: "handshake-complete" });
    });

    test("follows a change of our intervals, and we one of its own, both by poll and without a loss", async () => {
      const [ours, router] = await up(name);
      ours.order({ interval: 500, multiplier: 4 });
      await eventually("the router waits four times 500 ms", 30_000, async () =>
        (await router.session())?.detectionTime === 2_000 ? true : undefined,
      );
      await eventually("our poll is answered", 30_000, () =>
        ours.session?.polling === false && ours.session.transmitInterval === 500 ? true : undefined,
      );
      await router.retime({ interval: 800, multiplier: 5 });
      await eventually("we wait five times 800 ms", 30_000, () =>
        ours.session?.detectionTime === 4_000 && ours.session.transmitInterval === 800 ? true : undefined,
      );
      await eventually("the router transmits with what it announced", 30_000, async () =>
        (await router.session())?.transmitInterval === 800 ? true : undefined,
      );
      expect(ours.session).toMatchObject({ state: "Up", ups: 1 });
      expect(ours.changes.filter(({ change }) => change.from === "Up")).toEqual([]);
    });

    test("a silent cut is found on both sides within the detection time, and mended", async () => {
      const [ours, router] = await up(name);
      const cut = new Cut(await peer("nft"), wire);
      const made = await cut.make();
      const { change, heard } = await ours.end();
      process.stdout.write(`silent cut, ${name}, 300 ms x 3: ${Math.round(heard - made)} ms\n`);
      expect(change).toMatchObject({ to: "Down", reason: "detection-expired", lost: true });
      expect(heard - made).toBeLessThan(900 + SLACK);
      await shows(router, false);
      await cut.mend();
      await ours.up(2);
      await shows(router, true);
    });

    test(`the best of ${CUTS} silent cuts at 50 ms x 3 is found within 0.3 s`, async () => {
      const [ours, router] = await up(name, FAST);
      const cut = new Cut(await peer("nft"), wire);
      const times: number[] = [];
      for (let i = 0; i < CUTS; i += 1) {
        const past = ours.changes.length;
        const made = await cut.make();
        const { heard } = await ours.end(past);
        times.push(Math.round(heard - made));
        await cut.mend();
        await ours.up(i + 2);
        await shows(router, true);
      }
      process.stdout.write(`silent cuts, ${name}, 50 ms x 3: ${times.join(", ")} ms\n`);
      expect(Math.min(...times)).toBeLessThanOrEqual(300);
      expect(Math.min(...times)).toBeGreaterThan(50);
    });

    test("our own stall, longer than the detection time, is no loss: its packets are read first", async () => {
      // It waits 15 s for us, we 0.9 s for it.
      const [ours] = await up(name, { interval: 300, multiplier: 50 }, DEFAULT);
      const before = ours.session?.received ?? 0;
      await ours.stall(3_000);
      await eventually("packets of after the stall", 30_000, () =>
        (ours.session?.received ?? 0) > before + 20 ? true : undefined,
      );
      expect(ours.session).toMatchObject({ state: "Up", ups: 1 });
      expect(ours.changes.filter(({ change }) => change.from === "Up")).toEqual([]);
    });

    test("our planned end is AdminDown to it: down at once, by our word", async () => {
      const [ours, router] = await up(name, { interval: 1_000, multiplier: 20 });
      expect(await router.account()).not.toMatch(WORD_OF_ADMIN_DOWN[name]);
      const asked = performance.now();
      await ours.stop();
      await shows(router, false);
      // Had it heard nothing, it would have waited for 20 s.
      expect(performance.now() - asked).toBeLessThan(15_000);
      expect(await router.account()).toMatch(WORD_OF_ADMIN_DOWN[name]);
    });

    test("kill -9 of ours is a loss to it, within the detection time", async () => {
      const [ours, router] = await up(name);
      await ours.kill();
      await shows(router, false);
      host = new Host(wire, DEFAULT);
      expect(await host.up()).toMatchObject({ ups: 1 });
      await shows(router, true);
    });

    test("kill -9 of it is a loss to us, and it is welcome again", async () => {
      const [ours, router] = await up(name);
      router.daemon.kill("SIGKILL");
      const { change } = await ours.end();
      expect(change).toMatchObject({ to: "Down", reason: "detection-expired", lost: true });
      await STARTERS[name](await peer(name), wire, DEFAULT);
      expect(await ours.up(2)).toMatchObject({ ups: 2 });
    });

    test("its restart within the detection time is a loss to us all the same: it says Down", async () => {
      const slow: Timers = { interval: 1_000, multiplier: 60 };
      const [ours, router] = await up(name, slow);
      router.daemon.kill("SIGKILL");
      await STARTERS[name](await peer(name), wire, slow);
      const { change } = await ours.end();
      expect(change).toMatchObject({ to: "Down", reason: "peer-down", lost: true });
      expect(await ours.up(2)).toMatchObject({ ups: 2 });
    });
  });

  test("frr's shutdown of the peer is no loss to us, and its end brings the session back", async () => {
    const [ours, router] = (await up("frr")) as [Host, FrrRouter];
    await router.shutdown(true);
    const { change } = await ours.end();
    expect(change).toMatchObject({ to: "Down", reason: "peer-admin-down", lost: false });
    await router.shutdown(false);
    expect(await ours.up(2)).toMatchObject({ ups: 2 });
  });
});

/** How each writes down that the neighbour said AdminDown. */
const WORD_OF_ADMIN_DOWN: Readonly<Record<RouterName, RegExp>> = {
  frr: /Remote diagnostics: administratively down/,
  bird: /CTL received from \S+ \[AdminDown\]\n.* Session to \S+ changed state from Up to Down/,
};
