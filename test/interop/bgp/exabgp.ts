import { chmod, readFile, writeFile } from "node:fs/promises";

import type { Peer } from "@stitch/peers";
import { execa } from "execa";

import { cannot, familyOf, type RibEntry, type Router, type RouterSettings } from "./router.ts";
import { eventually, ROUTER, transcript, type Wire } from "./wire.ts";

export async function startExabgp(found: Peer, wire: Wire, settings: RouterSettings): Promise<Router> {
  const { router, speaker } = settings;
  const config = `process dump { run /bin/sh ${wire.file("dump.sh")}; encoder json; }
neighbor ${speaker.address} {
  router-id ${ROUTER.routerId}; local-address ${router.address}; local-as ${router.asn}; peer-as ${speaker.asn};
  passive true;
  family { ipv4 unicast; ipv6 unicast; }
  api { processes [ dump ]; neighbor-changes; receive { parsed; packets; update; notification; } }
}
`;
  // No exec: the shell keeps its stdout open, which ExaBGP takes as the sign that the program lives.
  await writeFile(wire.file("dump.sh"), `cat >> ${wire.file("events.json")}\n`);
  await writeFile(wire.file("events.json"), "");
  await chmod(wire.file("events.json"), 0o666);
  await writeFile(wire.file("exabgp.conf"), config);
  const environment = {
    "exabgp.tcp.bind": router.address,
    "exabgp.tcp.port": "179",
    "exabgp.daemon.user": "root",
    "exabgp.api.cli": "false",
    "exabgp.api.ack": "false",
    "exabgp.log.destination": "stdout",
  };
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const argv = ["env", ...assignments, found.program("exabgp"), wire.file("exabgp.conf")];
  const output = transcript(wire.start(wire.router, argv, found.env));
  await eventually("exabgp listens", 20_000, async () => {
    const [file = "", ...args] = wire.router.enter(["ss", "-Hltn", "sport", "=", ":179"]);
    return (await execa(file, args)).stdout === "" ? undefined : true;
  });
  return {
    route: async (prefix) => exabgpEntry(await readFile(wire.file("events.json"), "utf8"), prefix),
    account: async () => `${output()}${withReadableBodies(await readFile(wire.file("events.json"), "utf8"))}`,
    refresh: () => cannot("exabgp asks for routes again"),
    originate: () => cannot("exabgp chooses paths"),
    refuseHoldTimesBelow: () => cannot("exabgp has a floor for hold times"),
  };
}

/** ExaBGP 4.2 stumbles over any RFC 9003 text when it prints one; the packet as it reports it is the account. */
function withReadableBodies(events: string): string {
  return events.replaceAll(/"body": "0x([0-9A-F]+)"/g, (_, body: string) =>
    Buffer.from(body, "hex").toString("latin1"),
  );
}

interface ExabgpEvent {
  readonly type: string;
  readonly neighbor?: {
    readonly state?: string;
    readonly message?: {
      readonly update?: {
        readonly attribute?: {
          readonly "as-path"?: readonly number[];
          readonly med?: number;
          readonly community?: readonly (readonly number[])[];
          readonly "large-community"?: readonly (readonly number[])[];
        };
        readonly announce?: Readonly<Record<string, Readonly<Record<string, readonly { readonly nlri: string }[]>>>>;
        readonly withdraw?: Readonly<Record<string, readonly { readonly nlri: string }[]>>;
      };
    };
  };
}

/** ExaBGP keeps no table for us: the last word on the prefix in what it reported is the table. */
function exabgpEntry(events: string, prefix: string): RibEntry | undefined {
  const family = `${familyOf(prefix)} unicast`;
  let entry: RibEntry | undefined;
  for (const line of events.split("\n").filter((text) => text.endsWith("}"))) {
    const { neighbor } = JSON.parse(line) as ExabgpEvent;
    if (neighbor?.state === "down") entry = undefined;
    const update = neighbor?.message?.update;
    if (update?.withdraw?.[family]?.some((route) => route.nlri === prefix)) entry = undefined;
    for (const [nextHop, routes] of Object.entries(update?.announce?.[family] ?? {})) {
      if (!routes.some((route) => route.nlri === prefix)) continue;
      const { med, community = [], "as-path": asPath = [], "large-community": large = [] } = update?.attribute ?? {};
      entry = { nextHop, asPath, med, communities: joined(community), largeCommunities: joined(large) };
    }
  }
  return entry;
}

function joined(parts: readonly (readonly number[])[]): string[] {
  return parts.map((part) => part.join(":"));
}
