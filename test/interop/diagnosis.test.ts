/** What `stitch explain ROUTER` says of a session that real routers do not let come up, or not as it was meant. */
import { writeFile } from "node:fs/promises";
import { STITCH } from "@stitch/cli/program";
import { execa } from "execa";
import { afterEach, expect, test, vi } from "vitest";
import { describeUnless, lacking } from "../lacking.ts";
import type { Router, RouterSettings } from "./bgp/router.ts";
import { startRouter } from "./bgp/routers.ts";
import { eventually, ROUTER, SPEAKER, transcript, Wire } from "./bgp/wire.ts";

const WITHIN = 90_000;
const BOTH = { router: ROUTER, speaker: SPEAKER };

interface Cell {
  readonly name: string;
  /** How the router is set up. */
  readonly settings: RouterSettings;
  /** How we are. */
  readonly peer: string;
  readonly before?: (router: Router) => Promise<void>;
  readonly says: RegExp;
}

const EVERYWHERE: readonly Cell[] = [
  {
    name: "a password that only the router has",
    settings: { ...BOTH, password: "only-there" },
    peer: `asn: ${ROUTER.asn}, holdTime: 3s`,
    says: /is (Connect|Active|Idle).*\nLook at this: no answer to the connection request: .*it wants a TCP-MD5 password/,
  },
  {
    name: "another AS than the router's",
    settings: BOTH,
    peer: "asn: 65999, holdTime: 3s",
    says: /Look at this: .*AS 65001.*peers\[\]\.asn is 65999/,
  },
  {
    name: "a router that does not know us",
    settings: { router: ROUTER, speaker: { ...SPEAKER, address: "10.99.0.3" } },
    peer: `asn: ${ROUTER.asn}, holdTime: 3s`,
    says: /Look at this: (it closes the connection|the connection is refused).*we are no neighbour of it/,
  },
  {
    name: "TTL security that only the router has",
    settings: { ...BOTH, ttlSecurity: true },
    peer: `asn: ${ROUTER.asn}, holdTime: 3s`,
    says: /Look at this: .*GTSM.*set it on both or on neither/,
  },
];

const CELLS = {
  frr: [
    ...EVERYWHERE,
    {
      name: "a floor for hold times",
      settings: BOTH,
      peer: `asn: ${ROUTER.asn}, holdTime: 9s`,
      before: (router: Router) => router.refuseHoldTimesBelow(30),
      says: /is Established.*\nLook at this: it refuses a hold time of 9s, so 30s is offered/,
    },
  ],
  bird: EVERYWHERE,
} as const satisfies Readonly<Record<string, readonly Cell[]>>;

for (const vendor of ["frr", "bird"] as const) {
  const lacks = await lacking({ namespaces: true, peers: [vendor] });
  describeUnless(lacks, `beside ${vendor}`, () => {
    let wire: Wire;
    let last = "";

    // Some faults show only after a timeout of ours, and each look is a process of its own.
    vi.setConfig({ testTimeout: 180_000 });

    afterEach(async ({ task }) => {
      if (task.result?.state === "fail") process.stdout.write(`${last}\n`);
      await wire?.close();
    });

    test.each<Cell>(CELLS[vendor])("explain finds $name", async ({ settings, peer, before, says }) => {
      wire = await Wire.lay();
      const router = await startRouter(vendor, wire, settings);
      await before?.(router);
      const file = wire.file("site.yaml");
      await writeFile(file, siteOf(wire.file("announcer.sock"), peer));
      const announcer = transcript(wire.start(wire.host, [process.execPath, STITCH, "run", "announcer", "-c", file]));
      const found = await eventually("explain says it", WITHIN, async () => {
        const argv = [STITCH, "explain", ROUTER.address, "-c", file];
        const { all } = await execa(process.execPath, argv, { reject: false, all: true });
        last = `${all}\n${announcer()}`;
        return says.test(all) ? all : undefined;
      });
      process.stdout.write(`${vendor}, ${found.split("\n").slice(0, 2).join("\n  ")}\n`);
      expect(found).toMatch(says);
    });
  });
}

function siteOf(control: string, peer: string): string {
  return `site: nyc
announcer:
  asn: ${SPEAKER.asn}
  routerId: ${SPEAKER.routerId}
  control: ${JSON.stringify(control)}
  peers: [ { address: ${ROUTER.address}, localAddress: ${SPEAKER.address}, ${peer} } ]
  vips: [ { prefix: 127.10.10.53/32, service: dns, check: { exec: [/bin/true] } } ]
`;
}
