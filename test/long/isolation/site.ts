import type { ChildProcess } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { STITCH } from "@stitch/cli/program";

import { peer } from "@stitch/peers";
import { execa } from "execa";

import { type FrrDaemons, startFrrDaemons } from "../../interop/bgp/frr-daemons.ts";
import { eventually, ROUTER, SPEAKER, transcript, Wire } from "../../interop/bgp/wire.ts";

export const VIP = "10.10.10.53";
export const ZONE = "load.test";
/** Names of the zone that the load asks for. */
export const NAMES = 1_000;

/** One of the two neighbours that the router and the announcer are to each other: an address at each end, and how BFD watches it. */
export interface Neighbours {
  readonly router: string;
  readonly host: string;
  /** ms, three of them are the detection time. */
  readonly interval: number;
}

/** What must hold, and what is run beside it to see how near the machine is to its limit. */
export const STEADY: Neighbours = { router: ROUTER.address, host: SPEAKER.address, interval: 300 };
export const FAST: Neighbours = { router: "10.99.0.5", host: "10.99.0.6", interval: 50 };
const ALL = [STEADY, FAST];
/** A router is another machine: what keeps its daemons from their work is not ours to see, so nothing here does. */
const ROUTERS_OWN = ["chrt", "--rr", "1"];

/** A site (a resolver of two workers, the announcer) and a router with bgpd and bfdd, each in a namespace of its own. */
export interface RunningSite {
  readonly wire: Wire;
  readonly frr: FrrDaemons;
  /** What the site's processes have printed. */
  output(): string;
}

export async function startSite(): Promise<RunningSite> {
  const wire = await Wire.lay();
  try {
    for (const [end, address] of [
      [wire.router, FAST.router],
      [wire.host, FAST.host],
    ] as const)
      await execa("ip", ["-n", end.name, "address", "add", `${address}/30`, "dev", "wire0"]);
    await execa("ip", ["-n", wire.host.name, "address", "add", `${VIP}/32`, "dev", "lo"]);
    const frr = await startFrrDaemons(await peer("frr"), wire, { bfdd: bfdd(), bgpd: bgpd() }, ROUTERS_OWN);
    await writeFile(wire.file("load.zone"), zone());
    await writeFile(wire.file("site.yaml"), site(wire));
    const outputs = ["dns", "announcer"].map((role) => transcript(started(wire, role)));
    return { wire, frr, output: () => outputs.map((read) => read()).join("\n") };
  } catch (failure) {
    await wire.close();
    throw failure;
  }
}

function started(wire: Wire, role: string): ChildProcess {
  return wire.start(wire.host, [process.execPath, STITCH, "run", role, "-c", wire.file("site.yaml")]);
}

/** Both sessions, BFD on both, and the router's kernel forwards the address. */
export async function settled({ wire, frr, output }: RunningSite): Promise<void> {
  const up = async (): Promise<boolean> => {
    const bfd = JSON.parse(await frr.vtysh("show bfd peers json")) as readonly { readonly status: string }[];
    return bfd.length === ALL.length && bfd.every(({ status }) => status === "up");
  };
  await eventually("the router forwards the VIP and BFD is up twice", 60_000, async () =>
    (await wire.forwards(`${VIP}/32`)) && (await up()) ? true : undefined,
  ).catch((failure: unknown) => {
    throw new Error(`${String(failure)}\n${output()}\n${frr.log()}`);
  });
}

function bfdd(): string {
  const profiles = ALL.map(
    ({ interval }) =>
      ` profile every-${interval}\n  detect-multiplier 3\n  receive-interval ${interval}\n  transmit-interval ${interval}\n exit\n`,
  );
  return `hostname router\nbfd\n${profiles.join("")}exit\n`;
}

function bgpd(): string {
  const neighbours = ALL.map(
    ({ host, interval }) => ` neighbor ${host} remote-as ${SPEAKER.asn}
 neighbor ${host} passive
 neighbor ${host} bfd
 neighbor ${host} bfd profile every-${interval}
`,
  );
  return `hostname router
log stdout informational
router bgp ${ROUTER.asn}
 bgp log-neighbor-changes
 bgp router-id ${ROUTER.routerId}
 no bgp ebgp-requires-policy
${neighbours.join("")}`;
}

function zone(): string {
  const names = Array.from({ length: NAMES }, (_, i) => `n${i} A 192.0.2.${i % 256}`);
  return [`$ORIGIN ${ZONE}.`, "$TTL 3600", "@ SOA ns hostmaster 1 3600 600 86400 300", "@ NS ns", "ns A 192.0.2.1"]
    .concat(names, "")
    .join("\n");
}

function site(wire: Wire): string {
  const peers = ALL.map(
    ({ router, host, interval }) =>
      `    - { address: ${router}, asn: ${ROUTER.asn}, localAddress: ${host}, bfd: { interval: ${interval}ms, multiplier: 3 } }\n`,
  );
  return `site: nyc
instance: nyc-1
dns:
  listen: ["${VIP}:53"]
  workers: 2
  health: "127.0.0.1:8153"
  limit: { perNetwork: 0 }
  local: { zones: [${JSON.stringify(wire.file("load.zone"))}] }
announcer:
  asn: ${SPEAKER.asn}
  routerId: ${SPEAKER.routerId}
  control: ${JSON.stringify(wire.file("announcer.sock"))}
  peers:
${peers.join("")}  vips:
    - { prefix: ${VIP}/32, service: dns, check: { lease: "http://127.0.0.1:8153" } }
`;
}
