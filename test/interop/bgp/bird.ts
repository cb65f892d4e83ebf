import { readFile, writeFile } from "node:fs/promises";

import type { Peer } from "@stitch/peers";
import { execa } from "execa";

import { cannot, type RibEntry, type Router, type RouterSettings, words } from "./router.ts";
import { eventually, ROUTER, transcript, type Wire } from "./wire.ts";

export async function startBird(found: Peer, wire: Wire, settings: RouterSettings): Promise<Router> {
  const { router, speaker } = settings;
  const options = [
    ...(settings.password === undefined ? [] : [`password "${settings.password}";`]),
    ...(settings.ttlSecurity === true ? ["ttl security on;"] : []),
  ];
  const { maxPrefixes } = settings;
  const limit = maxPrefixes === undefined ? "" : `receive limit ${maxPrefixes} action disable;`;
  const config = `log "${wire.file("bird.log")}" all;
router id ${ROUTER.routerId};
protocol device {}
protocol kernel { ipv4 { import none; export all; }; }
protocol kernel { ipv6 { import none; export all; }; }
protocol static vip {
  disabled; ipv4;
  route 10.10.10.53/32 blackhole;
}
protocol bgp speaker {
  local ${router.address} as ${router.asn}; neighbor ${speaker.address} as ${speaker.asn};
  ${options.join(" ")}
  passive on; connect retry time 1; connect delay time 1; error wait time 1,2; error forget time 2;
  ipv4 { import all; export all; ${limit} };
  ipv6 { import all; export all; };
}
`;
  await writeFile(wire.file("bird.conf"), config);
  const socket = wire.file("bird.ctl");
  const argv = [found.program("bird"), "-f", "-c", wire.file("bird.conf"), "-s", socket, "-P", wire.file("bird.pid")];
  transcript(wire.start(wire.router, argv, found.env));
  const birdc = async (...command: string[]): Promise<string> => {
    const [file = "", ...args] = wire.router.enter([found.program("birdc"), "-s", socket, ...command]);
    // "Network not found" is an answer too, and ends with a failure.
    const { stdout, exitCode } = await execa(file, args, { env: found.env, reject: false });
    if (exitCode !== 0 && !stdout.includes("Network not found"))
      throw new Error(`birdc ${command.join(" ")}: ${stdout}`);
    return stdout;
  };
  await eventually("birdc answers", 20_000, () =>
    birdc("show", "status").then(
      (text) => text,
      () => undefined,
    ),
  );
  return {
    route: async (prefix) =>
      birdEntry(await birdc("show", "route", "all", "protocol", "speaker", "for", prefix), router.asn === speaker.asn),
    account: async () =>
      `${await readFile(wire.file("bird.log"), "utf8")}${await birdc("show", "protocols", "all", "speaker")}`,
    refresh: async () => void (await birdc("reload", "in", "speaker")),
    originate: async () => void (await birdc("enable", "vip")),
    refuseHoldTimesBelow: () => cannot("bird has a floor for hold times"),
  };
}

function birdEntry(shown: string, internal: boolean): RibEntry | undefined {
  const field = (name: string): string | undefined => new RegExp(`BGP\\.${name}: (.*)`).exec(shown)?.[1];
  const nextHop = field("next_hop");
  if (nextHop === undefined) return undefined;
  const med = field("med");
  return {
    nextHop,
    asPath: words(field("as_path")).map(Number),
    ...(internal ? { localPref: Number(field("local_pref")) } : {}),
    med: med === undefined ? undefined : Number(med),
    communities: tuples(field("community")),
    largeCommunities: tuples(field("large_community")),
  };
}

/** `(65101, 1, 7) (65101, 2, 3)` as words. */
function tuples(text = ""): string[] {
  return Array.from(text.matchAll(/\(([^)]*)\)/g), (match) => (match[1] ?? "").replaceAll(/,\s*/g, ":"));
}
