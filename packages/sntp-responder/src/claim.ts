import type { Clock } from "@stitch/clock";
import { openDatagramSocket, type Endpoint } from "@stitch/linux-io";

/**
 * Has each address for itself for a moment and lets go of it: the workers then share it among themselves (SO_REUSEPORT),
 * which a second instance could do as well, and take half of the requests in silence. Returns the addresses with the ports
 * that stand for 0. Rejects with a BindError.
 */
export async function claimed(listen: readonly Endpoint[], clock: Clock): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  for (const local of listen) {
    const quiet = { onBatch: () => {}, onFailure: () => {} };
    const sizes = { slotSize: 64, replySlotSize: 64, batchSize: 1, receiveBuffer: 4_096 };
    const socket = await openDatagramSocket({ local, clock, ...sizes, ...quiet });
    endpoints.push(socket.local);
    await socket.close();
  }
  return endpoints;
}
