import { isIP } from "node:net";
import type { AnnouncerConfig } from "@stitch/announcer";

/** What the file says to be of this machine. */
export function ownAddresses({ routerId, peers, vips }: AnnouncerConfig): ReadonlySet<string> {
  return new Set([
    routerId,
    ...peers.flatMap(({ localAddress, nextHop }) => [localAddress ?? "", nextHop ?? ""]),
    ...vips.map(({ prefix }) => prefix.address),
  ]);
}

export function isLoopback(address: string): boolean {
  return isIP(address) === 6 ? address === "::1" : address.startsWith("127.");
}
