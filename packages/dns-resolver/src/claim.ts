import type { Clock } from "@stitch/clock";
import { openDatagramSocket, type Endpoint } from "@stitch/linux-io";
import { TcpListener } from "./tcp-listener.ts";

/** The port chosen for UDP may be taken for TCP; with port 0 another is tried. */
const PORT_TRIES = 8;

/**
 * Has each address for itself for a moment, on UDP and TCP, and lets go of it: the workers then share it among themselves
 * (SO_REUSEPORT), which a second instance could do as well, and take half of the queries in silence. Returns the
 * addresses with the ports that stand for 0. Rejects with a BindError.
 */
export async function claimed(listen: readonly Endpoint[], clock: Clock): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  for (const local of listen) endpoints.push(await claim(local, clock));
  return endpoints;
}

/** The same on TCP alone, for DNS over TLS. */
export async function claimedTcp(listen: readonly Endpoint[], clock: Clock): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  for (const local of listen) {
    const tcp = await TcpListener.open({ local, clock, admits: () => false, onQuery: () => {} });
    endpoints.push({ address: local.address, port: tcp.port });
    await tcp.close();
  }
  return endpoints;
}

async function claim(local: Endpoint, clock: Clock): Promise<Endpoint> {
  for (let tries = 1; ; tries += 1) {
    const quiet = { onBatch: () => {}, onFailure: () => {} };
    const sizes = { slotSize: 64, replySlotSize: 64, batchSize: 1, receiveBuffer: 4_096 };
    const udp = await openDatagramSocket({ local, clock, ...sizes, ...quiet });
    try {
      const tcp = await TcpListener.open({ local: udp.local, clock, admits: () => false, onQuery: () => {} });
      await tcp.close();
      return udp.local;
    } catch (failure) {
      if (local.port !== 0 || tries >= PORT_TRIES) throw failure;
    } finally {
      await udp.close();
    }
  }
}
