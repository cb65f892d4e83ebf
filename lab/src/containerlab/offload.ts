import type { Peer } from "@stitch/peers";
import { execa } from "execa";
import type { Topology } from "../topology.ts";

const TIMEOUT_MS = 10_000;
/** What the generator of `flood` lives on: 64 datagrams travel as one. */
const SEGMENTATION = "tx-udp-segmentation";

export interface OffloadTools {
  readonly topology: Topology;
  /** The command line that runs `argv` in a node's network. */
  readonly enter: (node: string, argv: readonly string[]) => readonly string[];
  readonly ethtool: Peer;
}

/**
 * containerlab makes its links without checksum offload, because some vendors' routers insist on whole checksums. Segmentation
 * goes with it: every datagram of a flood then crosses each hop by itself, and the kernel's work for them takes the processors
 * from the sites. Ours are Linux alone: their links get what a pair of interfaces has from the start. Throws where one does not.
 */
export async function restoreOffload({ topology, enter, ethtool }: OffloadTools): Promise<void> {
  for (const { node, interface: device } of topology.links.flat()) {
    const run = async (...args: readonly string[]): Promise<string> => {
      const [file = "", ...rest] = enter(node, [ethtool.program("ethtool"), ...args]);
      return (await execa(file, rest, { env: ethtool.env, stdin: "ignore", timeout: TIMEOUT_MS })).stdout;
    };
    await run("--offload", device, "tx", "on");
    if (!isOn(await run("--show-features", device), SEGMENTATION))
      throw new Error(`${node}: ${device} has no ${SEGMENTATION}, and drills would measure the kernel's work for it`);
  }
}

/** Whether `ethtool --show-features` says so: `tx-udp-segmentation: on`, perhaps with `[fixed]` behind it. */
export function isOn(features: string, name: string): boolean {
  return features.split("\n").some((line) => line.trim().split(" ").slice(0, 2).join(" ") === `${name}: on`);
}
