import { writeFile } from "node:fs/promises";

import type { Peer } from "@stitch/peers";
import { execa } from "execa";

import { cannot, familyOf, type RibEntry, type Router, type RouterSettings } from "./router.ts";
import { eventually, ROUTER, transcript, type Wire } from "./wire.ts";

export async function startGobgp(found: Peer, wire: Wire, settings: RouterSettings): Promise<Router> {
  const { router, speaker } = settings;
  const config = `[global.config]
  as = ${router.asn}
  router-id = "${ROUTER.routerId}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${speaker.address}"
    peer-as = ${speaker.asn}
  [neighbors.transport.config]
    passive-mode = true
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
`;
  await writeFile(wire.file("gobgpd.toml"), config);
  const argv = [found.program("gobgpd"), "-f", wire.file("gobgpd.toml"), "--api-hosts", "127.0.0.1:50051"];
  const output = transcript(wire.start(wire.router, argv, found.env));
  const gobgp = async (...command: string[]): Promise<string> => {
    const [file = "", ...args] = wire.router.enter([found.program("gobgp"), ...command]);
    // "not established" is an answer too, and ends with a failure.
    const { stdout, stderr, exitCode } = await execa(file, args, { env: found.env, reject: false });
    const answer = `${stdout}${stderr}`;
    if (exitCode !== 0 && !answer.includes("not established")) throw new Error(`gobgp ${command.join(" ")}: ${answer}`);
    return stdout;
  };
  await eventually("gobgp answers", 20_000, () =>
    gobgp("global").then(
      (text) => text,
      () => undefined,
    ),
  );
  await eventually("the neighbour is configured", 20_000, async () =>
    (await gobgp("neighbor")).includes(speaker.address) ? true : undefined,
  );
  return {
    route: async (prefix) => {
      const shown = await gobgp("neighbor", speaker.address, "adj-in", "-a", familyOf(prefix), prefix, "-j");
      return shown.includes("attrs") ? gobgpEntry(JSON.parse(shown) as GobgpRib, prefix) : undefined;
    },
    account: () => Promise.resolve(output()),
    refresh: () => cannot("gobgp asks for routes again"),
    originate: async (prefix) => void (await gobgp("global", "rib", "add", prefix)),
    refuseHoldTimesBelow: () => cannot("gobgp has a floor for hold times"),
  };
}

interface GobgpAttribute {
  readonly type: number;
  readonly nexthop?: string;
  readonly metric?: number;
  readonly communities?: readonly number[];
  readonly as_paths?: readonly { readonly asns: readonly number[] }[];
  readonly value?: unknown;
}

type GobgpRib = Readonly<Record<string, readonly { readonly attrs: readonly GobgpAttribute[] }[]>>;

function gobgpEntry(rib: GobgpRib, prefix: string): RibEntry | undefined {
  const attributes = rib[prefix]?.[0]?.attrs;
  if (attributes === undefined) return undefined;
  const of = (type: number): GobgpAttribute | undefined => attributes.find((attribute) => attribute.type === type);
  const large = (of(32)?.value ?? []) as readonly {
    readonly ASN: number;
    readonly LocalData1: number;
    readonly LocalData2: number;
  }[];
  return {
    nextHop: of(3)?.nexthop ?? of(14)?.nexthop ?? "",
    asPath: of(2)?.as_paths?.flatMap((segment) => segment.asns) ?? [],
    med: of(4)?.metric,
    communities: (of(8)?.communities ?? []).map((value) => `${value >>> 16}:${value & 0xffff}`),
    largeCommunities: large.map((value) => `${value.ASN}:${value.LocalData1}:${value.LocalData2}`),
  };
}
