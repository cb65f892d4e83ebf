import { STITCH } from "@stitch/cli/program";
import { milliseconds } from "@stitch/clock";
import { execa } from "execa";
import { eventually, ROUTER, SPEAKER } from "../../interop/bgp/wire.ts";
import { type Contender, ended, pidOf, type Started } from "./contender.ts";
import { BFD, type Network } from "./network.ts";
import { Site } from "./service.ts";

/** A renewal of the lease each 100 ms. */
const INTERVAL = milliseconds(100);
const SETTINGS = "lease renewed 100 ms, lost after 500 ms, hold 9 s, drain 5 s (the defaults)";

export const STITCH_PLAIN: Contender = {
  name: "stitch",
  settings: SETTINGS,
  interval: INTERVAL,
  start: (network) => start(network),
};

/** Where silence is the fault; elsewhere BFD finds nothing that is not found without it. */
export const STITCH_BFD: Contender = {
  name: "stitch, BFD",
  settings: `the same, and BFD ${BFD.interval} ms x ${BFD.multiplier}`,
  interval: INTERVAL,
  start: (network) => start(network, BFD),
};

async function start(network: Network, bfd?: typeof BFD): Promise<Started> {
  const { wire } = network;
  const plan = { site: "one", namespace: wire.host, address: SPEAKER.address, router: ROUTER, asn: SPEAKER.asn };
  const site = await Site.write(wire, { ...plan, ...(bfd === undefined ? {} : { bfd }) });
  const service = site.run("dns");
  const announcer = site.run("announcer");
  return {
    pid: (part) => pidOf(part === "service" ? service : announcer),
    ready: async () => {
      if (bfd === undefined) return;
      await eventually("BFD is up", 30_000, async () => ((await network.bfdIsUp()) ? true : undefined));
    },
    drain: async () => void (await execa(process.execPath, [STITCH, "drain", "dns", "-c", site.file])),
    stop: async () => {
      await ended(announcer);
      await ended(service);
    },
  };
}
