import { type Advertisement } from "@stitch/bgp-speaker";
import { type Duration, seconds } from "@stitch/clock";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { prefix } from "./prefix.ts";
import type { Router, RouterSettings } from "./router.ts";
import { type RouterName, startRouter } from "./routers.ts";
import type { SpeakerOptions } from "./speaker.ts";
import { Speaker } from "./speaker-process.ts";
import { eventually, ROUTER, SPEAKER, twinOf, Wire } from "./wire.ts";

const VIP = "10.10.10.53/32";
const TWIN = "fd00:10:10::53/128";
const PASSWORD = "correct-horse";

/** Who writes the route into the router's kernel; of the others the table they show is asked. */
const FORWARDS: ReadonlySet<RouterName> = new Set(["frr", "bird"]);

export interface Timing {
  readonly cell: string;
  readonly milliseconds: number;
}

/** Every cell's time, printed when its file is over. */
export function printTimings(timings: readonly Timing[]): void {
  const lines = timings.map(({ cell, milliseconds }) => `  ${milliseconds.toFixed(0).padStart(7)} ms  ${cell}`);
  process.stdout.write(`\nTimes to the router's kernel route, or its table:\n${lines.join("\n")}\n`);
}

const PLAIN: Advertisement = { prefix: prefix(VIP) };

/** A router, a wire and our speaker, with what is asked of them in the cells. */
class Scene {
  readonly name: RouterName;
  readonly settings: RouterSettings;
  readonly timings: Timing[];
  wire!: Wire;
  router!: Router;
  speaker!: Speaker;

  constructor(name: RouterName, settings: RouterSettings, timings: Timing[]) {
    this.name = name;
    this.settings = settings;
    this.timings = timings;
  }

  async open(): Promise<void> {
    this.wire = await Wire.lay();
    this.router = await startRouter(this.name, this.wire, this.settings);
  }

  speak(peer: Partial<SpeakerOptions["peer"]>, more: Partial<SpeakerOptions> = {}): Speaker {
    const { address, asn } = this.settings.router;
    this.speaker = new Speaker(this.wire, {
      peer: { address, asn, ...peer },
      local: { asn: this.settings.speaker.asn, routerId: SPEAKER.routerId },
      ...more,
    });
    return this.speaker;
  }

  async has(route: string): Promise<boolean> {
    return FORWARDS.has(this.name) ? this.wire.forwards(route) : (await this.router.route(route)) !== undefined;
  }

  /** Waits until the route is there, or gone, and notes how long it took. */
  async timed(
    cell: string,
    wanted: boolean,
    deadline: Duration,
    { route = VIP, began = performance.now() } = {},
  ): Promise<number> {
    await eventually(`${cell} (${this.name})`, deadline, async () =>
      (await this.has(route)) === wanted ? true : undefined,
    );
    const milliseconds = performance.now() - began;
    this.timings.push({ cell: `${this.name}: ${cell}`, milliseconds });
    return milliseconds;
  }

  async announced(holdTime: Duration, asn = this.settings.router.asn): Promise<Speaker> {
    const speaker = this.speak({ holdTime, asn });
    await speaker.established();
    speaker.order({ set: [PLAIN] });
    await this.timed("announce", true, seconds(15));
    return speaker;
  }
}

/** What may go wrong with a session that is up. `holdTime` is what a silent fault lasts until it is seen. */
export function faultCells(name: RouterName, holdTime: Duration, timings: Timing[]): void {
  const patience = seconds(holdTime / 1_000 + 15);
  const hold = `hold ${holdTime / 1_000} s`;

  describe(`${name}: faults at ${hold}`, () => {
    const scene = new Scene(name, { router: ROUTER, speaker: SPEAKER }, timings);
    beforeAll(() => scene.open());
    afterEach(async () => {
      await scene.wire.mend();
      scene.speaker.thaw();
      await scene.speaker.kill();
    });
    afterAll(() => scene.wire.close());

    test("a withdrawal and a kill -9 are seen at once", async () => {
      const speaker = await scene.announced(holdTime);
      speaker.order({ set: [] });
      expect(await scene.timed("withdraw", false, seconds(10))).toBeLessThan(5_000);
      speaker.order({ set: [PLAIN] });
      await scene.timed("announce again", true, seconds(10));
      const began = performance.now();
      await speaker.kill();
      expect(await scene.timed("kill -9", false, seconds(10), { began })).toBeLessThan(5_000);
    });

    test("a speaker that hangs (SIGSTOP) loses its route with the hold time, and comes back", async () => {
      const speaker = await scene.announced(holdTime);
      speaker.freeze();
      expect(await scene.timed(`SIGSTOP, ${hold}`, false, patience)).toBeLessThan(patience);
      speaker.thaw();
      await scene.timed("back after SIGSTOP", true, seconds(60));
    });

    test("a wire that loses everything is noticed on both sides, and the session comes back", async () => {
      const speaker = await scene.announced(holdTime);
      await scene.wire.cut();
      expect(await scene.timed(`silent cut, ${hold}`, false, patience)).toBeLessThan(patience);
      await eventually("our side gives up too", patience, () =>
        speaker.reasons.some((reason) => reason === "hold-timer-expired" || reason === "peer-closed")
          ? true
          : undefined,
      );
      await scene.wire.mend();
      await scene.timed("back after the cut", true, seconds(60));
    });

    test("a host that lost power is taken back when the router's hold time is over", async () => {
      const before = await scene.announced(holdTime);
      await scene.wire.cut();
      await before.kill();
      await scene.wire.forgetConnections();
      await scene.wire.mend();
      const after = scene.speak({ holdTime });
      const began = performance.now();
      await after.established(patience + 60_000);
      timings.push({ cell: `${name}: power-cycle, ${hold}`, milliseconds: performance.now() - began });
      after.order({ set: [PLAIN] });
      await eventually("the route is back", 15_000, async () => ((await scene.has(VIP)) ? true : undefined));
      // It did not storm meanwhile: attempts are at least 0.75 s apart.
      const attempts = after.reasons.filter((reason) => reason === "retry").length;
      expect(attempts).toBeLessThan((performance.now() - began) / 750 + 1);
    });

    test("a router that is killed and started again has the route again", async () => {
      const speaker = await scene.announced(holdTime);
      await scene.wire.killAll(scene.wire.router);
      await eventually("our side sees it", patience, () =>
        speaker.reasons.includes("peer-closed") ? true : undefined,
      );
      const began = performance.now();
      scene.router = await startRouter(name, scene.wire, scene.settings);
      const back = await eventually("the router has the route", 60_000, () => scene.router.route(VIP));
      expect(back.nextHop).toBe(SPEAKER.address);
      timings.push({ cell: `${name}: router restart, from its start`, milliseconds: performance.now() - began });
    });
  });
}

const WRONG_PASSWORDS = [
  ["a wrong password", { password: "battery-staple", ttlSecurity: 1 }],
  ["no password", { ttlSecurity: 1 }],
] as const;

/** TCP-MD5 and GTSM over an IPv6 transport: right, and each of them wrong, the password in so many ways. */
export function protectionCells(
  name: RouterName,
  timings: Timing[],
  wrongPasswords: number = WRONG_PASSWORDS.length,
): void {
  const ends = {
    router: { ...ROUTER, address: twinOf(ROUTER.address) },
    speaker: { ...SPEAKER, address: twinOf(SPEAKER.address) },
  };

  describe(`${name}: TCP-MD5 and GTSM over IPv6`, () => {
    const scene = new Scene(name, { ...ends, password: PASSWORD, ttlSecurity: true }, timings);
    const v6 = { families: ["ipv4", "ipv6"] } as const;
    beforeAll(() => scene.open());
    afterEach(() => scene.speaker.kill());
    afterAll(() => scene.wire.close());

    test("the right password and TTL carry an IPv6 address", async () => {
      const speaker = scene.speak({ password: PASSWORD, ttlSecurity: 1 }, v6);
      await speaker.established();
      speaker.order({ set: [{ prefix: prefix(TWIN) }] });
      expect(
        await scene.timed("announce over IPv6 with TCP-MD5 and GTSM", true, seconds(15), { route: TWIN }),
      ).toBeLessThan(15_000);
      expect((await scene.router.route(TWIN))?.nextHop).toBe(twinOf(SPEAKER.address));
    });

    test.each(WRONG_PASSWORDS.slice(0, wrongPasswords))("%s is no answer", async (_name, peer) => {
      const speaker = scene.speak(peer, v6);
      await eventually("the attempt fails", 20_000, () => (speaker.reasons.includes("tcp-timeout") ? true : undefined));
      expect(speaker.reasons).not.toContain("established");
    });

    test("a TTL that is not 255 never makes a session that carries a route", async () => {
      const speaker = scene.speak({ password: PASSWORD, ttl: 64 }, v6);
      speaker.order({ set: [{ prefix: prefix(TWIN) }] });
      await eventually("an attempt fails", 30_000, () =>
        speaker.reasons.some((reason) =>
          /^(tcp-timeout|tcp-failed|open-timeout|peer-closed|hold-timer-expired)$/.test(reason),
        )
          ? true
          : undefined,
      );
      expect(await scene.router.route(TWIN)).toBeUndefined();
    });
  });
}

/** Within one AS, and more prefixes than the router takes. */
export function internalCells(name: RouterName, timings: Timing[]): void {
  const ends = { router: ROUTER, speaker: { ...SPEAKER, asn: ROUTER.asn } };

  describe(`${name}: iBGP and a prefix limit`, () => {
    const scene = new Scene(name, { ...ends, maxPrefixes: 1 }, timings);
    beforeAll(() => scene.open());
    afterEach(() => scene.speaker.kill());
    afterAll(() => scene.wire.close());

    test("iBGP: an empty path, LOCAL_PREF, our next hop; one prefix too many is Cease/1", async () => {
      const speaker = scene.speak({ holdTime: seconds(9) });
      await speaker.established();
      speaker.order({ set: [{ ...PLAIN, localPref: 250, prepend: 3 }] });
      await scene.timed("announce over iBGP", true, seconds(15));
      expect(await scene.router.route(VIP)).toMatchObject({ asPath: [], localPref: 250, nextHop: SPEAKER.address });
      const more = ["10.10.5.14/32", "10.10.10.123/32"].map((text) => ({ prefix: prefix(text) }));
      speaker.order({ set: [PLAIN, ...more] });
      await eventually("the router says Cease/1", 15_000, () =>
        speaker.reasons.includes("prefix-limit") ? true : undefined,
      );
    });
  });
}

/** A route that changes ten times a second: the router's table is right at the end, and our memory flat. */
export function flapCell(name: RouterName, duration: Duration, timings: Timing[]): void {
  describe(`${name}: 10 Hz for ${duration / 1_000} s`, () => {
    const scene = new Scene(name, { router: ROUTER, speaker: SPEAKER }, timings);
    beforeAll(() => scene.open());
    afterAll(() => scene.wire.close());

    test("the table is right at the end and the memory flat", async () => {
      const speaker = await scene.announced(seconds(9));
      const last: Advertisement = { ...PLAIN, med: 2, prepend: 3 };
      speaker.order({ flap: [[], [{ ...PLAIN, med: 1 }]], milliseconds: duration });
      const report = await eventually("the flapping is over", duration + 60_000, () => speaker.report);
      // A machine that stalls makes fewer changes; half of them is enough to prove the point.
      expect(report.changes).toBeGreaterThan(duration / 200);
      speaker.order({ set: [last] });
      await eventually("the last wish is at the router", 15_000, async () => {
        const route = await scene.router.route(VIP);
        return route?.med === 2 && route.asPath.length === 4 ? true : undefined;
      });
      expect(await scene.has(VIP)).toBe(true);
      expect(speaker.reasons.filter((reason) => reason === "established")).toHaveLength(1);
      expect(report.heap[1] - report.heap[0]).toBeLessThan(8 * 2 ** 20);
      const [early, late] = report.heap.map((octets) => (octets / 2 ** 20).toFixed(1));
      process.stdout.write(`${name}: ${report.changes} changes, heap ${early} -> ${late} MiB\n`);
      await speaker.kill();
    });
  });
}
