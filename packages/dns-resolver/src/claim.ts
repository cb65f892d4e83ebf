import type { Clock } from "@stitch/clock";
import { claimAddress, type Endpoint } from "@stitch/linux-io";
import { TcpListener } from "./tcp-listener.ts";

/** The port chosen for UDP may be taken for TCP; with port 0 another is tried. */
const PORT_TRIES = 8;

/**
 * Has each address for itself for a moment, on UDP and TCP, and lets go of it to the workers that share it. Returns the
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
  for (const local of listen) endpoints.push(await claimTcp(local, clock));
  return endpoints;
}

async function claim(local: Endpoint, clock: Clock): Promise<Endpoint> {
  const byTcpToo = async (bound: Endpoint): Promise<void> => void (await claimTcp(bound, clock));
  for (let tries = 1; ; tries += 1) {
    try {
      return await claimAddress(local, clock, byTcpToo);
    } catch (failure) {
      if (local.port !== 0 || tries >= PORT_TRIES) throw failure;
    }
  }
}

async function claimTcp(local: Endpoint, clock: Clock): Promise<Endpoint> {
  const tcp = await TcpListener.open({ local, clock, admits: () => false, onQuery: () => {} });
  const { port } = tcp;
  await tcp.close();
  return { address: local.address, port };
}
