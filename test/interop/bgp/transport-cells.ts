import { type Advertisement } from "@stitch/bgp-speaker";
import { type Duration, seconds } from "@stitch/clock";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import type { Timing } from "./fault-cells.ts";
import { prefix } from "./prefix.ts";
import type { RibEntry, Router } from "./router.ts";
import { type RouterName, startRouter } from "./routers.ts";
import { Speaker } from "./speaker-process.ts";
import { eventually, ROUTER, SPEAKER, twinOf, Wire } from "./wire.ts";

const VIP = "10.10.10.53/32";
const TWIN = "fd00:10:10::53/128";
/** The router's and our end of an IPv6 session. */
const ENDS = {
  router: { ...ROUTER, address: twinOf(ROUTER.address) },
  speaker: { ...SPEAKER, address: twinOf(SPEAKER.address) },
};

/** Both families over an IPv6 session: IPv6 with the session's own next hop, IPv4 with one that is configured. */
const BOTH: readonly Advertisement[] = [
  { prefix: prefix(VIP), med: 1, nextHop: SPEAKER.address },
  { prefix: prefix(TWIN), med: 1 },
];

/** A session over IPv6 that carries both families, and what it agrees on and leaves behind. */
export function transportCells(name: RouterName, holdTimes: readonly Duration[], timings: Timing[]): void {
  describe(`${name}: over IPv6`, () => {
    let wire: Wire;
    let router: Router;
    let speaker: Speaker;
    beforeAll(async () => {
      wire = await Wire.lay();
      router = await startRouter(name, wire, ENDS);
    });
    afterEach(() => speaker.kill());
    afterAll(() => wire.close());

    async function up(holdTime?: Duration): Promise<void> {
      const { address, asn } = ENDS.router;
      const peer = { address, asn, ...(holdTime === undefined ? {} : { holdTime }) };
      speaker = new Speaker(wire, { peer, families: ["ipv4", "ipv6"] });
      speaker.order({ set: BOTH });
      await speaker.established(60_000);
    }

    /** Waits until the router's view of a prefix suits, and notes how long it took. */
    async function seen(cell: string, route: string, suits: (entry: RibEntry | undefined) => boolean): Promise<number> {
      const began = performance.now();
      await eventually(`${cell} (${name})`, 20_000, async () => (suits(await router.route(route)) ? true : undefined));
      const milliseconds = performance.now() - began;
      timings.push({ cell: `${name}: ${cell}, IPv6 transport`, milliseconds });
      return milliseconds;
    }

    test("both families are announced with their next hops, changed, put on last resort and withdrawn", async () => {
      await up();
      await seen("announce IPv4", VIP, (entry) => entry?.nextHop === SPEAKER.address);
      await seen("announce IPv6", TWIN, (entry) => entry?.nextHop === twinOf(SPEAKER.address));
      speaker.order({ set: BOTH.map((one) => ({ ...one, med: 2 })) });
      await seen("change of MED", TWIN, (entry) => entry?.med === 2);
      speaker.order({ set: BOTH.map((one) => ({ ...one, communities: [0xffff_0000], prepend: 3 })) });
      await seen("GRACEFUL_SHUTDOWN", TWIN, (entry) => entry?.communities.includes("65535:0") === true);
      expect((await router.route(TWIN))?.asPath).toHaveLength(4);
      speaker.order({ set: BOTH.slice(1) });
      await seen("withdraw IPv4", VIP, (entry) => entry === undefined);
      expect(await router.route(TWIN)).toBeDefined();
      speaker.order({ set: [] });
      await seen("withdraw IPv6", TWIN, (entry) => entry === undefined);
    });

    test("a planned stop is heard with its text, and takes both families away", async () => {
      await up();
      await seen("announce again", TWIN, (entry) => entry !== undefined);
      const text = `CHG-6 ${name}`;
      await speaker.stop(text);
      expect(await seen("Cease, both gone", TWIN, (entry) => entry === undefined)).toBeLessThan(15_000);
      const told = eventually("the text is shown", 15_000, async () =>
        (await router.account()).includes(text) ? true : undefined,
      );
      expect(await told).toBe(true);
    });

    test.each(holdTimes)("a hold time of %i ms is agreed on", async (holdTime) => {
      await up(holdTime);
      speaker.order({ agreed: true });
      const agreed = await eventually("the speaker says what was agreed on", 10_000, () => speaker.agreed);
      expect(agreed).toEqual({ holdTime, families: ["ipv4", "ipv6"] });
    });
  });
}

/** The shortest there is, the default, and what routers without a word about it have. */
export const HOLD_TIMES: readonly Duration[] = [seconds(3), seconds(9), seconds(90)];
