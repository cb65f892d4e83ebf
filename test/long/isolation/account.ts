import { readFileSync } from "node:fs";
import { request } from "node:http";

import type { FrrDaemons } from "../../interop/bgp/frr-daemons.ts";
import type { Neighbours, RunningSite } from "./site.ts";

/** How often a session of two neighbours has ended so far, as each side has it. */
export interface Ends {
  readonly bgp: { readonly router: number; readonly host: number };
  readonly bfd: { readonly router: number; readonly host: number };
}

export async function endsOf({ wire, frr }: RunningSite, neighbours: Neighbours): Promise<Ends> {
  const sessions = journalOf(wire.file("journal.jsonl")).filter(
    ({ kind, peer }) => kind === "session" && peer === neighbours.router,
  );
  const left = (state: string): number => sessions.filter(({ from, to }) => from === state && to !== state).length;
  return {
    bgp: { router: await droppedByBgpd(frr, neighbours.host), host: left("Established") },
    bfd: { router: await downsOfBfdd(frr, neighbours.host), host: left("BFD Up") },
  };
}

export interface Entry {
  readonly kind: string;
  readonly peer?: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason?: string;
  readonly wish?: { readonly from: string; readonly to: string };
}

export function journalOf(file: string): readonly Entry[] {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Entry);
}

async function droppedByBgpd(frr: FrrDaemons, host: string): Promise<number> {
  const shown = JSON.parse(await frr.vtysh(`show bgp neighbors ${host} json`)) as Record<
    string,
    { readonly connectionsDropped: number }
  >;
  return shown[host]?.connectionsDropped ?? Number.NaN;
}

async function downsOfBfdd(frr: FrrDaemons, host: string): Promise<number> {
  const shown = JSON.parse(await frr.vtysh("show bfd peers counters json")) as readonly {
    readonly peer: string;
    readonly "session-down": number;
  }[];
  return shown.find(({ peer }) => peer === host)?.["session-down"] ?? Number.NaN;
}

/** A metric of the announcer, by the labels it has (`peer="…"`, or `` where it has none of interest); seconds as ms. */
export async function lagOf(socketPath: string, metric: string, label = ""): Promise<number> {
  const text = await page(socketPath, "/metrics");
  const line = text.split("\n").find((each) => each.startsWith(`${metric}{`) && each.includes(label));
  return Number(line?.split(" ").at(-1) ?? Number.NaN) * 1_000;
}

function page(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => void (text += piece));
      response.on("end", () => resolve(text)).on("error", reject);
    });
    asked.on("error", reject).end();
  });
}
