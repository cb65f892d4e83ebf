import { type Advertisement, communityOf, formatPrefix, GRACEFUL_SHUTDOWN } from "@stitch/bgp-speaker";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { describeUnless, lacking } from "../lacking.ts";
import { recordCells } from "./bgp/cell-record.ts";
import { prefix } from "./bgp/prefix.ts";
import type { Router } from "./bgp/router.ts";
import { ASKS_AGAIN, CHOOSES_PATHS, MARKS_A_REFRESH, ROUTERS, SETS_A_FLOOR, startRouter } from "./bgp/routers.ts";
import { Speaker } from "./bgp/speaker-process.ts";
import { eventually, ROUTER, SPEAKER, twinOf, Wire } from "./bgp/wire.ts";

const VIP = "10.10.10.53/32";
const TWIN = "fd00:10:10::53/128";
const PLAIN: Advertisement = {
  prefix: prefix(VIP),
  med: 42,
  communities: [communityOf(65101, 100)],
  largeCommunities: [{ global: 65101, local1: 1, local2: 7 }],
};
const LAST_RESORT: Advertisement = { ...PLAIN, communities: [GRACEFUL_SHUTDOWN], prepend: 3, med: 4_294_967_294 };

recordCells([]);

for (const name of ROUTERS) {
  const lacks = await lacking({ namespaces: true, peers: [name] });
  describeUnless(lacks, `our speaker and ${name}`, () => {
    let wire: Wire;
    let router: Router;
    let speaker: Speaker;

    beforeAll(async () => {
      wire = await Wire.lay();
      router = await startRouter(name, wire);
    });

    afterEach(async () => {
      await speaker?.stop("test over");
    });

    afterAll(async () => {
      await wire?.close();
    });

    async function announced(advertisement: Advertisement): Promise<void> {
      speaker = new Speaker(wire);
      speaker.order({ set: [advertisement] });
      await speaker.established();
      await eventually("the router has the VIP", 10_000, () => router.route(VIP));
    }

    function withdrawn(deadline: number): Promise<boolean> {
      return eventually("the router has lost the VIP", deadline, async () =>
        (await router.route(VIP)) === undefined ? true : undefined,
      );
    }

    test("the VIP arrives as sent", async () => {
      await announced(PLAIN);
      expect(await router.route(VIP)).toEqual({
        nextHop: SPEAKER.address,
        asPath: [SPEAKER.asn],
        med: 42,
        communities: ["65101:100"],
        largeCommunities: ["65101:1:7"],
      });
    });

    test("a re-announcement as last resort replaces it, and a withdrawal takes it away", async () => {
      await announced(PLAIN);
      speaker.order({ set: [LAST_RESORT] });
      const seen = await eventually("the last resort is seen", 10_000, async () => {
        const route = await router.route(VIP);
        return route?.communities.includes("65535:0") ? route : undefined;
      });
      expect(seen.asPath).toEqual([SPEAKER.asn, SPEAKER.asn, SPEAKER.asn, SPEAKER.asn]);
      expect(seen.med).toBe(4_294_967_294);
      speaker.order({ set: [] });
      expect(await withdrawn(10_000)).toBe(true);
      expect(speaker.find("update-sent", (event) => event.withdrawn.map(formatPrefix).includes(VIP))).toBeDefined();
    });

    test("an IPv6 address travels over the IPv4 session, and is withdrawn", async () => {
      speaker = new Speaker(wire, { families: ["ipv4", "ipv6"] });
      speaker.order({ set: [{ ...PLAIN, prefix: prefix(TWIN), nextHop: twinOf(SPEAKER.address) }] });
      await speaker.established();
      const seen = await eventually("the router has the twin", 10_000, () => router.route(TWIN));
      expect(seen).toEqual({
        nextHop: twinOf(SPEAKER.address),
        asPath: [SPEAKER.asn],
        med: 42,
        communities: ["65101:100"],
        largeCommunities: ["65101:1:7"],
      });
      speaker.order({ set: [] });
      const gone = eventually("the router has lost the twin", 10_000, async () =>
        (await router.route(TWIN)) === undefined ? true : undefined,
      );
      expect(await gone).toBe(true);
    });

    test("stop withdraws and ends with Cease and our text", async () => {
      await announced(PLAIN);
      const text = `CHG-${name}: planned stop`;
      await speaker.stop(text);
      expect(await withdrawn(5_000)).toBe(true);
      await eventually("the router shows our text", 10_000, async () =>
        (await router.account()).includes(text) ? true : undefined,
      );
    });

    test("kill -9 of the speaker takes the route away within a second", async () => {
      await announced(PLAIN);
      await speaker.kill();
      expect(await withdrawn(1_000)).toBe(true);
    });

    test("a peer in another AS than configured is refused with a reason", async () => {
      speaker = new Speaker(wire, { peer: { address: ROUTER.address, asn: 65999 } });
      const refused = await eventually("the session is refused", 30_000, () =>
        speaker.find("state", (event) => event.reason === "wrong-as"),
      );
      expect(refused.detail).toContain("AS 65001");
      expect(speaker.find("notification", (event) => event.direction === "sent")).toMatchObject({
        code: 2,
        subcode: 2,
      });
    });

    test.each(ASKS_AGAIN.filter((one) => one === name))(
      "a route refresh by %s is answered with every route",
      async () => {
        await announced(PLAIN);
        const before = speaker.updates;
        await router.refresh();
        await eventually("the routes are sent again", 10_000, () => (speaker.updates > before ? true : undefined));
        expect(await router.route(VIP)).toBeDefined();
      },
    );

    test.each(CHOOSES_PATHS.filter((one) => one === name))("a path that %s has for the VIP is reported", async () => {
      speaker = new Speaker(wire);
      await speaker.established();
      await router.originate(VIP);
      const heard = await eventually("the path is reported", 15_000, () =>
        speaker.find("path", (event) => event.path !== undefined),
      );
      expect(formatPrefix(heard.prefix)).toBe(VIP);
      expect(heard.path).toMatchObject({ asPath: [ROUTER.asn], nextHop: ROUTER.address });
    });

    test.each(MARKS_A_REFRESH.filter((one) => one === name))(
      "a path of %s outlives the refresh that we ask for, between its marks",
      async () => {
        speaker = new Speaker(wire);
        await speaker.established();
        await router.originate(VIP);
        await eventually("the path is reported", 15_000, () => speaker.find("path", ({ path }) => path !== undefined));
        speaker.order({ watch: [prefix(VIP)] });
        await eventually("both marks have come", 15_000, () => {
          speaker.order({ count: true });
          return speaker.refreshes >= 2 ? true : undefined;
        });
        expect(speaker.find("path", ({ path }) => path === undefined)).toBeUndefined();
      },
    );

    test.each(SETS_A_FLOOR.filter((one) => one === name))(
      "a hold time that %s refuses is raised until it suits",
      async () => {
        await router.refuseHoldTimesBelow(60);
        speaker = new Speaker(wire);
        await speaker.established();
        const raised = speaker.events.filter((event) => event.kind === "state" && event.reason === "hold-time-raised");
        expect(raised).toHaveLength(2);
      },
    );
  });
}
