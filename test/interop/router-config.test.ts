import type { ChildProcess } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type Advertisement, communityOf, GRACEFUL_SHUTDOWN } from "@stitch/bgp-speaker";
import { routerConfig } from "@stitch/cli";
import { afterAll, beforeAll, expect, test } from "vitest";

import { prefix } from "./bgp/prefix.ts";
import { describeUnless, lacking } from "../lacking.ts";
import type { Order, SpeakerOptions } from "./bgp/speaker.ts";
import { eventually, ROUTER, SPEAKER, twinOf, Wire } from "./bgp/wire.ts";
import { configureBird } from "./router-config/bird.ts";
import type { Configure, ConfiguredRouter } from "./router-config/configured.ts";
import { configureFrr } from "./router-config/frr.ts";

// What `stitch router-config` prints is all that these routers are configured with.

const DNS = "10.10.10.53/32";
const TWIN = "fd00:10:10::53/128";
const GPU = "10.10.20.1/32";
const STRANGER = "10.66.0.0/24";

const SITE = `site: nyc
instance: nyc-1
announcer:
  asn: ${SPEAKER.asn}
  routerId: ${SPEAKER.routerId}
  peers:
    - { address: ${ROUTER.address}, asn: ${ROUTER.asn}, localAddress: ${SPEAKER.address}, nextHop: "${twinOf(SPEAKER.address)}", bfd: { interval: 100ms } }
  vips:
    - { prefix: ${DNS}, service: dns, check: { lease: "http://127.0.0.1:8153" } }
    - { prefix: "${TWIN}", service: dns, check: { lease: "http://127.0.0.1:8153" } }
    - { prefix: ${GPU}, service: gpu, check: { http: "http://127.0.0.1:9000/health", load: /gpu/utilization } }
`;

const PLAIN: Advertisement = { prefix: prefix(DNS) };
const BUSY: Advertisement = { prefix: prefix(GPU), largeCommunities: [{ global: SPEAKER.asn, local1: 2, local2: 7 }] };
const V6: Advertisement = { prefix: prefix(TWIN), nextHop: twinOf(SPEAKER.address) };
const NOT_A_VIP: Advertisement = { prefix: prefix(STRANGER), communities: [communityOf(65_101, 1)] };

const ROUTERS: readonly (readonly ["frr" | "bird", Configure])[] = [
  ["frr", configureFrr],
  ["bird", configureBird],
];

async function stanzaOf(vendor: string, file: string, site: string): Promise<string> {
  await writeFile(file, site);
  let stanza = "";
  routerConfig({ file, json: false, print: (text) => void (stanza += text) }, { vendor, peer: undefined });
  return stanza;
}

for (const [vendor, configure] of ROUTERS) {
  const lacks = await lacking({ namespaces: true, peers: [vendor] });
  describeUnless(lacks, `${vendor}, configured by us`, () => {
    let wire: Wire;
    let router: ConfiguredRouter;
    let speaker: ChildProcess;

    beforeAll(async () => {
      wire = await Wire.lay();
      const file = wire.file("site.yaml");
      router = await configure(wire, await stanzaOf(vendor, file, SITE));
      const options: SpeakerOptions = {
        peer: { address: ROUTER.address, asn: ROUTER.asn },
        local: { asn: SPEAKER.asn, routerId: SPEAKER.routerId },
        families: ["ipv4", "ipv6"],
        watch: [],
      };
      const script = join(import.meta.dirname, "bgp/speaker.ts");
      speaker = wire.start(wire.host, [process.execPath, script, JSON.stringify(options)]);
      speaker.stdout?.resume();
      speaker.stderr?.pipe(process.stderr);
      say({ set: [NOT_A_VIP, PLAIN, BUSY, V6] });
      await eventually("the router has every VIP", 30_000, async () => {
        const all = await Promise.all([DNS, GPU, TWIN].map((vip) => router.preference(vip)));
        return all.includes(undefined) ? undefined : true;
      });
    });

    afterAll(async () => {
      await wire?.close();
    });

    function say(order: Order): void {
      speaker.stdin?.write(`${JSON.stringify(order)}\n`);
    }

    test("takes the VIPs of both families at its usual preference, and nothing else", async () => {
      expect(await router.preference(DNS)).toBe(100);
      expect(await router.preference(TWIN)).toBe(100);
      expect(await router.preference(STRANGER)).toBeUndefined();
    });

    test("makes LOCAL_PREF of a load step", async () => {
      expect(await router.preference(GPU)).toBe(93);
    });

    test.each([
      ["TCP-MD5 and GTSM", "password: secret, ttlSecurity: 1"],
      ["GTSM over hops", "ttlSecurity: 3"],
      ["a session over hops", "multihop: 3"],
      ["slow BFD", "bfd: { interval: 2s, multiplier: 5 }"],
      ["a long hold time", "holdTime: 90s"],
    ])("understands what is printed for %s", async (_name, settings) => {
      const site = SITE.replace("bfd: { interval: 100ms }", settings);
      expect(site).not.toBe(SITE);
      expect(await router.complaintsOf(await stanzaOf(vendor, wire.file("other.yaml"), site))).toBe("");
      expect(await router.complaintsOf("neighbour who { nonsense")).not.toBe("");
    });

    test("understands what is printed for a session within one AS", async () => {
      const site = SITE.replace(`asn: ${ROUTER.asn}`, `asn: ${SPEAKER.asn}`);
      expect(await router.complaintsOf(await stanzaOf(vendor, wire.file("other.yaml"), site))).toBe("");
    });

    test("agrees on our hold time", async () => {
      expect(await router.holdTime()).toBe(9);
    });

    test("puts a last resort below every other path", async () => {
      const leaving = [PLAIN, BUSY, V6].map((each) => ({ ...each, communities: [GRACEFUL_SHUTDOWN] }));
      say({ set: leaving });
      const lowest = await eventually("every VIP is a last resort", 15_000, async () => {
        const all = await Promise.all([DNS, GPU, TWIN].map((vip) => router.preference(vip)));
        return all.every((preference) => preference === 0) ? all : undefined;
      });
      expect(lowest).toHaveLength(3);
    });
  });
}
