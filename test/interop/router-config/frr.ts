import { writeFile } from "node:fs/promises";

import { inPrivateEtc, peer } from "@stitch/peers";
import { execa } from "execa";

import { eventually, SPEAKER, transcript, type Wire } from "../bgp/wire.ts";
import type { ConfiguredRouter } from "./configured.ts";

/** The stanza goes into a running FRR through vtysh, which complains of what it does not understand. */
export async function configureFrr(wire: Wire, stanza: string): Promise<ConfiguredRouter> {
  const found = await peer("frr");
  const { directory } = wire;
  const sockets = ["--vty_socket", directory, "-z", wire.file("zserv.api"), "-P", "0", "--log", "stdout"];
  for (const file of ["zebra.conf", "bfdd.conf", "bgpd.conf", "vtysh.conf"]) await writeFile(wire.file(file), "");
  for (const daemon of ["zebra", "bfdd", "bgpd"]) {
    const socket = daemon === "bfdd" ? ["--bfdctl", wire.file("bfdd.sock")] : [];
    const own = ["-f", wire.file(`${daemon}.conf`), "-i", wire.file(`${daemon}.pid`), ...socket];
    transcript(
      wire.start(wire.router, inPrivateEtc([found.program(daemon), ...own, ...sockets], { peers: [found] }), found.env),
    );
  }
  const vtysh = async (...words: string[]): Promise<string> => {
    const argv = [found.program("vtysh"), "--vty_socket", directory, "--config_dir", directory, ...words];
    const [file = "", ...args] = wire.router.enter(inPrivateEtc(argv, { peers: [found] }));
    const { all } = await execa(file, args, { env: found.env, all: true });
    return all;
  };
  await eventually("vtysh answers", 20_000, () =>
    vtysh("-c", "show bgp summary", "-c", "show bfd peers").then(
      () => true,
      () => undefined,
    ),
  );
  await writeFile(wire.file("stanza.conf"), `${stanza}\n`);
  const complaints = await vtysh("-f", wire.file("stanza.conf"));
  if (/%|fail|unknown|error/i.test(complaints)) throw new Error(`FRR does not take the stanza: ${complaints}`);
  // FRR turns connections away, or opens with the identifier 0.0.0.0, until zebra has told bgpd of an address.
  await eventually("the router waits for us under an identifier of its own", 20_000, async () => {
    const { ipv4Unicast: summary } = JSON.parse(await vtysh("-c", "show bgp summary json")) as FrrSummary;
    const ready = summary?.routerId !== "0.0.0.0" && summary?.peers?.[SPEAKER.address]?.state === "Active";
    return ready ? true : undefined;
  });
  return {
    preference: async (prefix) => {
      const family = prefix.includes(":") ? "ipv6" : "ipv4";
      const shown = JSON.parse(await vtysh("-c", `show bgp ${family} unicast ${prefix} json`)) as FrrRoute;
      const path = shown.paths?.find(({ peer: from }) => from?.peerId === SPEAKER.address);
      return path && (path.locPrf ?? 100);
    },
    complaintsOf: async (other) => {
      await writeFile(wire.file("other.conf"), `${other}\n`);
      return vtysh("--dryrun", "-f", wire.file("other.conf")).catch((failure: Error) => failure.message);
    },
    holdTime: async () => {
      const shown = JSON.parse(await vtysh("-c", `show bgp neighbors ${SPEAKER.address} json`)) as FrrNeighbours;
      return (shown[SPEAKER.address]?.bgpTimerHoldTimeMsecs ?? 0) / 1_000;
    },
  };
}

interface FrrSummary {
  readonly ipv4Unicast?: {
    readonly routerId?: string;
    readonly peers?: Readonly<Record<string, { readonly state?: string }>>;
  };
}

interface FrrRoute {
  readonly paths?: readonly { readonly peer?: { readonly peerId?: string }; readonly locPrf?: number }[];
}

type FrrNeighbours = Readonly<Record<string, { readonly bgpTimerHoldTimeMsecs?: number }>>;
