import { readFile, writeFile } from "node:fs/promises";

import type { Peer } from "@stitch/peers";
import { execa } from "execa";

import { eventually, ROUTER, SPEAKER, transcript, type Wire } from "../bgp/wire.ts";
import type { Timers } from "./host.ts";
import type { Router, RouterSession } from "./router.ts";

export async function startBird(found: Peer, wire: Wire, timers: Timers): Promise<Router> {
  const file = wire.file("bird.conf");
  const configured = ({ interval, multiplier }: Timers): Promise<void> =>
    writeFile(
      file,
      `log "${wire.file("bird.log")}" all;
router id ${ROUTER.routerId};
protocol device {}
protocol bfd {
  debug all;
  interface "wire0" { interval ${interval} ms; multiplier ${multiplier}; idle tx interval 1 s; };
  neighbor ${SPEAKER.address} dev "wire0" local ${ROUTER.address};
}
`,
    );
  await configured(timers);
  const socket = wire.file("bird.ctl");
  const argv = [found.program("bird"), "-f", "-c", file, "-s", socket, "-P", wire.file("bird.pid")];
  const daemon = wire.start(wire.router, argv, found.env);
  transcript(daemon);
  const birdc = async (...command: string[]): Promise<string> => {
    const [program = "", ...args] = wire.router.enter([found.program("birdc"), "-s", socket, ...command]);
    return (await execa(program, args, { env: found.env })).stdout;
  };
  await eventually("birdc answers", 20_000, () =>
    birdc("show", "status").then(
      () => true,
      () => undefined,
    ),
  );
  return {
    daemon,
    session: async () => sessionOf(await birdc("show", "bfd", "sessions")),
    account: () => readFile(wire.file("bird.log"), "utf8"),
    retime: async (changed) => {
      await configured(changed);
      await birdc("configure");
    },
  };
}

/** `10.99.0.2  wire0  Up  00:29:59.123  0.300  0.900` */
function sessionOf(shown: string): RouterSession | undefined {
  const line = shown.split("\n").find((each) => each.startsWith(SPEAKER.address));
  if (line === undefined) return undefined;
  const [, , state, , interval = "", timeout = ""] = line.split(/\s+/);
  return {
    up: state === "Up",
    transmitInterval: Math.round(Number(interval) * 1_000),
    detectionTime: Math.round(Number(timeout) * 1_000),
  };
}
