import { type Peer, peer, type PeerName } from "@stitch/peers";

import { startBird } from "./bird.ts";
import { startExabgp } from "./exabgp.ts";
import { startFrr } from "./frr.ts";
import { startGobgp } from "./gobgp.ts";
import type { Router, RouterSettings } from "./router.ts";
import { ROUTER, SPEAKER, type Wire } from "./wire.ts";

export const ROUTERS = ["frr", "bird", "gobgp", "exabgp"] as const satisfies readonly PeerName[];
/** GoBGP's softresetin works from its own copy of what we sent; ExaBGP has no command for it. */
export const ASKS_AGAIN: readonly RouterName[] = ["frr", "bird"];
/** ExaBGP is no router: it sends what it is told and chooses nothing. */
export const CHOOSES_PATHS: readonly RouterName[] = ["frr", "bird", "gobgp"];
/** RFC 7313: marks the begin and the end of what it sends again. FRR 8.4 offers that too, and sends no mark. */
export const MARKS_A_REFRESH: readonly RouterName[] = ["bird"];
export const SETS_A_FLOOR: readonly RouterName[] = ["frr"];
export type RouterName = (typeof ROUTERS)[number];

const PLAIN: RouterSettings = { router: ROUTER, speaker: SPEAKER };

export async function startRouter(name: RouterName, wire: Wire, settings = PLAIN): Promise<Router> {
  const found = await peer(name);
  return STARTERS[name](found, wire, settings);
}

type Starter = (found: Peer, wire: Wire, settings: RouterSettings) => Promise<Router>;

const STARTERS: Readonly<Record<RouterName, Starter>> = {
  frr: startFrr,
  bird: startBird,
  gobgp: startGobgp,
  exabgp: startExabgp,
};
