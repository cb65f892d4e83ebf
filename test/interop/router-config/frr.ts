import { writeFile } from "node:fs/promises";

import { peer } from "@stitch/peers";

import { startFrrDaemons } from "../bgp/frr-daemons.ts";
import { eventually, SPEAKER, type Wire } from "../bgp/wire.ts";
import type { ConfiguredRouter } from "./configured.ts";

/** The stanza goes into a running FRR through vtysh, which complains of what it does not understand. */
export async function configureFrr(wire: Wire, stanza: string): Promise<ConfiguredRouter> {
  const { vtysh, load } = await startFrrDaemons(await peer("frr"), wire, { bfdd: "", bgpd: "" });
  await writeFile(wire.file("stanza.conf"), `${stanza}\n`);
  const complaints = await load(wire.file("stanza.conf"));
  if (/%|fail|unknown|error/i.test(complaints)) throw new Error(`FRR does not take the stanza: ${complaints}`);
  // FRR turns connections away, or opens with the identifier 0.0.0.0, until zebra has told bgpd of an address.
  await eventually("the router waits for us under an identifier of its own", 20_000, async () => {
    const { ipv4Unicast: summary } = JSON.parse(await vtysh("show bgp summary json")) as FrrSummary;
    const ready = summary?.routerId !== "0.0.0.0" && summary?.peers?.[SPEAKER.address]?.state === "Active";
    return ready ? true : undefined;
  });
  return {
    preference: async (prefix) => {
      const family = prefix.includes(":") ? "ipv6" : "ipv4";
      const shown = JSON.parse(await vtysh(`show bgp ${family} unicast ${prefix} json`)) as FrrRoute;
      const path = shown.paths?.find(({ peer: from }) => from?.peerId === SPEAKER.address);
      return path && (path.locPrf ?? 100);
    },
    complaintsOf: async (other) => {
      await writeFile(wire.file("other.conf"), `${other}\n`);
      return load(wire.file("other.conf"), "dry run").catch((failure: Error) => failure.message);
    },
    holdTime: async () => {
      const shown = JSON.parse(await vtysh(`show bgp neighbors ${SPEAKER.address} json`)) as FrrNeighbours;
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
