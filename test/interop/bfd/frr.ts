import type { Peer } from "@stitch/peers";

import { startFrrDaemons } from "../bgp/frr-daemons.ts";
import { eventually, ROUTER, SPEAKER, type Wire } from "../bgp/wire.ts";
import type { Timers } from "./host.ts";
import type { Router } from "./router.ts";

const PEER = `peer ${SPEAKER.address} local-address ${ROUTER.address}`;

interface FrrPeer {
  readonly peer: string;
  readonly status: string;
  readonly "transmit-interval": number;
  readonly "remote-receive-interval": number;
  readonly "remote-transmit-interval": number;
  readonly "receive-interval": number;
  readonly "remote-detect-multiplier": number;
}

export interface FrrRouter extends Router {
  /** An operator's `shutdown` of the peer, and its end. */
  shutdown(down: boolean): Promise<void>;
}

export async function startFrr(found: Peer, wire: Wire, timers: Timers): Promise<FrrRouter> {
  const config = `hostname router\nlog stdout debugging\nbfd\n ${PEER}\n${lines(timers).join("\n")}\n`;
  const { children, vtysh, log } = await startFrrDaemons(found, wire, { bfdd: config });
  const daemon = children.get("bfdd");
  if (daemon === undefined) throw new Error("bfdd has not been started");
  const peers = async (): Promise<readonly FrrPeer[]> => JSON.parse(await vtysh("show bfd peers json")) as FrrPeer[];
  await eventually("bfdd knows us", 20_000, () =>
    peers().then(
      (shown) => (shown.length > 0 ? true : undefined),
      () => undefined,
    ),
  );
  return {
    daemon,
    session: async () => {
      const shown = (await peers()).find(({ peer }) => peer === SPEAKER.address);
      return shown === undefined ? undefined : sessionOf(shown);
    },
    account: async () => `${log()}${await vtysh("show bfd peers")}`,
    retime: async (changed) => void (await vtysh("configure terminal", "bfd", PEER, ...lines(changed))),
    shutdown: async (down) => void (await vtysh("configure terminal", "bfd", PEER, down ? "shutdown" : "no shutdown")),
  };
}

function lines({ interval, multiplier }: Timers): string[] {
  return [`detect-multiplier ${multiplier}`, `receive-interval ${interval}`, `transmit-interval ${interval}`];
}

function sessionOf(shown: FrrPeer): Awaited<ReturnType<Router["session"]>> {
  return {
    up: shown.status === "up",
    transmitInterval: Math.max(shown["transmit-interval"], shown["remote-receive-interval"]),
    detectionTime:
      shown["remote-detect-multiplier"] * Math.max(shown["receive-interval"], shown["remote-transmit-interval"]),
  };
}
