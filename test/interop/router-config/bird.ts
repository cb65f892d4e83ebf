import { writeFile } from "node:fs/promises";

import { peer } from "@stitch/peers";
import { execa } from "execa";

import { eventually, ROUTER, transcript, type Wire } from "../bgp/wire.ts";
import type { ConfiguredRouter } from "./configured.ts";

/** What a stanza takes for granted. */
function withRest(stanza: string): string {
  return `router id ${ROUTER.routerId};\nprotocol device {}\nprotocol bfd {}\n${stanza}\n`;
}

/** The stanza is a part of bird.conf, and BIRD does not start with one that it does not understand. */
export async function configureBird(wire: Wire, stanza: string): Promise<ConfiguredRouter> {
  const found = await peer("bird");
  await writeFile(wire.file("bird.conf"), withRest(stanza));
  const socket = wire.file("bird.ctl");
  const argv = [found.program("bird"), "-f", "-c", wire.file("bird.conf"), "-s", socket, "-P", wire.file("bird.pid")];
  const output = transcript(wire.start(wire.router, argv, found.env));
  const birdc = async (...command: string[]): Promise<string> => {
    const [file = "", ...args] = wire.router.enter([found.program("birdc"), "-s", socket, ...command]);
    return (await execa(file, args, { env: found.env, reject: false })).stdout;
  };
  await eventually("birdc answers", 20_000, async () => {
    if (/error/i.test(output())) throw new Error(`BIRD does not take the stanza: ${output()}`);
    return (await birdc("show", "status")).includes("Daemon is up") ? true : undefined;
  });
  return {
    preference: async (prefix) => {
      const shown = await birdc("show", "route", "all", "for", prefix);
      const told = /BGP\.local_pref: (\d+)/.exec(shown)?.[1];
      return told === undefined || !shown.includes(`${prefix} `) ? undefined : Number(told);
    },
    complaintsOf: async (other) => {
      await writeFile(wire.file("other.conf"), withRest(other));
      const parse = [found.program("bird"), "-p", "-c", wire.file("other.conf")];
      const [file = "", ...args] = wire.router.enter(parse);
      const { all, exitCode } = await execa(file, args, { env: found.env, reject: false, all: true });
      return exitCode === 0 ? "" : `${all} (${exitCode})`;
    },
    holdTime: async () => Number(/Hold timer:\s+[\d.]+\/(\d+)/.exec(await birdc("show", "protocols", "all"))?.[1] ?? 0),
  };
}
