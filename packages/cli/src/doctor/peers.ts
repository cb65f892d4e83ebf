import type { AnnouncerConfig } from "@stitch/announcer";
import { formatDuration, seconds, type Duration } from "@stitch/clock";
import { formatEndpoint } from "@stitch/linux-io";
import { isLoopback } from "./own-addresses.ts";

/** FRR and BIRD propagate within 100 ms a hop; less drain time than this loses what a planned stop need not lose. */
const SHORTEST_USEFUL_DRAIN: Duration = seconds(1);
/** A host that is frozen or cut off keeps its route for the hold time. */
const LONG_HOLD: Duration = seconds(30);

type PeerConfig = AnnouncerConfig["peers"][number];

/** What the settings of the sessions make of a drain, of a frozen host and of secrets. */
export function peerWarnings({ drain, peers, remote }: AnnouncerConfig): string[] {
  return [
    ...drainWarnings(drain, peers),
    ...peers.flatMap(holdWarnings),
    ...peers.flatMap(passwordWarnings),
    ...remoteWarnings(remote),
  ];
}

function remoteWarnings(remote: AnnouncerConfig["remote"]): string[] {
  if (remote === undefined || remote.tls !== undefined || isLoopback(remote.listen.address)) return [];
  const where = formatEndpoint(remote.listen);
  return [
    `announcer.remote: the token travels to ${where} as it is, and who reads it may drain; set announcer.remote.tls`,
  ];
}

function drainWarnings({ time }: AnnouncerConfig["drain"], peers: readonly PeerConfig[]): string[] {
  if (time < SHORTEST_USEFUL_DRAIN) {
    return [`announcer.drain.time: ${formatDuration(time)} is less than routers need to move clients; 1s or more`];
  }
  return peers
    .filter(({ advertisementInterval }) => advertisementInterval > time)
    .map(({ address, advertisementInterval: held }) => {
      const [drains, holds] = [formatDuration(time), formatDuration(held)];
      return `announcer.drain.time: ${drains} is over before ${address} tells its neighbours, which may take ${holds}: clients would be lost at the withdrawal`;
    });
}

function holdWarnings({ address, holdTime, bfd }: PeerConfig): string[] {
  if (holdTime <= LONG_HOLD || bfd !== undefined) return [];
  return [
    `announcer.peers: hold time ${formatDuration(holdTime)} with ${address}: a frozen host keeps its route that long; BFD makes it short`,
  ];
}

function passwordWarnings({ address, password }: PeerConfig): string[] {
  if (password === undefined || password.startsWith("file:")) return [];
  return [`announcer.peers: the password of ${address} stands in this file; "file:PATH" keeps it apart`];
}
