import { writeFile } from "node:fs/promises";

import { inPrivateEtc, type Peer } from "@stitch/peers";
import { execa } from "execa";

import { eventually, ROUTER, SPEAKER, transcript, type Wire } from "../bgp/wire.ts";
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
  const { directory } = wire;
  const sockets = ["--vty_socket", directory, "-z", wire.file("zserv.api"), "-P", "0", "--log", "stdout"];
  await writeFile(
    wire.file("bfdd.conf"),
    `hostname router\nlog stdout debugging\nbfd\n ${PEER}\n${lines(timers).join("\n")}\n`,
  );
  await writeFile(wire.file("zebra.conf"), "hostname router\n");
  await writeFile(wire.file("vtysh.conf"), "");
  const start = (daemon: string, ...more: string[]): ReturnType<Wire["start"]> => {
    const own = ["-f", wire.file(`${daemon}.conf`), "-i", wire.file(`${daemon}.pid`), ...more];
    const argv = inPrivateEtc([found.program(daemon), ...own, ...sockets], { peers: [found] });
    return wire.start(wire.router, argv, found.env);
  };
  transcript(start("zebra"));
  const daemon = start("bfdd", "--bfdctl", wire.file("bfdd.sock"));
  const output = transcript(daemon);
  const vtysh = async (...commands: string[]): Promise<string> => {
    const argv = [found.program("vtysh"), "--vty_socket", directory, "--config_dir", directory];
    const [file = "", ...args] = wire.router.enter(
      inPrivateEtc([...argv, ...commands.flatMap((command) => ["-c", command])], { peers: [found] }),
    );
    return (await execa(file, args, { env: found.env })).stdout;
  };
  const peers = async (): Promise<readonly FrrPeer[]> => JSON.parse(await vtysh("show bfd peers json")) as FrrPeer[];
  await eventually("bfdd answers", 20_000, () =>
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
    account: async () => `${output()}${await vtysh("show bfd peers")}`,
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
