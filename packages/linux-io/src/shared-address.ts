import type { Clock } from "@stitch/clock";
import type { DatagramSocket } from "./datagrams.ts";
import type { Endpoint } from "./endpoint.ts";
import { openDatagramSocket } from "./open-datagrams.ts";

/**
 * Has the address for itself, and calls `meanwhile` with the port that stands for 0 before it lets go: the workers then
 * share it among themselves (SO_REUSEPORT), which a second instance could do as well, and take half of the datagrams in
 * silence. Returns the address as it was bound. Rejects with a BindError, or as `meanwhile` does.
 */
export async function claimAddress(
  local: Endpoint,
  clock: Clock,
  meanwhile?: (bound: Endpoint) => Promise<void>,
): Promise<Endpoint> {
  const sizes = { slotSize: 64, replySlotSize: 64, batchSize: 1, receiveBuffer: 4_096 };
  const socket = await openDatagramSocket({ local, clock, ...sizes, onBatch: () => {}, onFailure: () => {} });
  try {
    await meanwhile?.(socket.local);
    return socket.local;
  } finally {
    await socket.close();
  }
}

/**
 * What the kernel dropped of `sockets`, so that the sum over the workers that share their addresses is right: node:dgram
 * reads drops by address, those of all sockets there, so the first worker tells for all of them.
 */
export function kernelDropsOf(sockets: readonly DatagramSocket[], worker = 0): number {
  const own = sockets.filter(({ implementation }) => worker === 0 || implementation === "native");
  return own.reduce((sum, socket) => sum + (socket.kernelDrops() ?? 0), 0);
}
