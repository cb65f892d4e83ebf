import { announcerConfig } from "@stitch/announcer";
import { EXIT } from "@stitch/health";
import { planOf } from "../router-config/plan.ts";
import { VENDORS, vendorOf } from "../router-config/vendors.ts";
import { loadChecked } from "../site.ts";
import { UsageError } from "../usage.ts";
import type { OperateContext } from "./operate.ts";

export interface RouterConfigOptions {
  readonly vendor: string | undefined;
  /** Address of one of announcer.peers; all of them without it. */
  readonly peer: string | undefined;
}

/** Prints what the routers of this file need on their side, one stanza for each. Throws UsageError. */
export function routerConfig({ file, json, print }: OperateContext, options: RouterConfigOptions): number {
  const vendor = vendorOf(options.vendor ?? "");
  if (vendor === undefined)
    throw new UsageError(`stitch router-config needs --vendor ${Object.keys(VENDORS).join("|")}`);
  const document = loadChecked(file);
  const config = announcerConfig(document);
  const peers = config.peers.filter(({ address }) => options.peer === undefined || address === options.peer);
  if (peers.length === 0)
    throw new UsageError(
      noPeer(
        file,
        options.peer,
        config.peers.map(({ address }) => address),
      ),
    );
  const stanzas = peers.map((peer) => {
    const plan = planOf(document, config, peer);
    if (plan === undefined)
      throw new UsageError(
        `${file}: announcer.peers: from which address ${peer.address} is spoken to is not said; set localAddress`,
      );
    return { peer: peer.address, vendor, lines: VENDORS[vendor](plan) };
  });
  print(json ? JSON.stringify(stanzas) : stanzas.map(({ lines }) => lines.join("\n")).join("\n\n"));
  return EXIT.stopped;
}

function noPeer(file: string, wanted: string | undefined, known: readonly string[]): string {
  if (wanted === undefined) return `${file}: announcer.peers names no router`;
  return `${file}: announcer.peers has no ${wanted}; there are ${known.join(", ")}`;
}
