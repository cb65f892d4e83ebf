import { type Duration, formatDuration } from "@stitch/clock";

import { canonicalAddress } from "./canonical-address.ts";

import { DEFAULT_INTERVAL, DEFAULT_MULTIPLIER, MAX_INTERVAL, MAX_MULTIPLIER, MIN_INTERVAL } from "./timing.ts";

/** Our own mistake, or a site with more routers than a host has cables. */
export const MAX_PEERS = 64;

/** A session that is wanted. One per peer address. */
export interface BfdPeer {
  /** IPv4 or IPv6 literal of the neighbour on the link. */
  readonly address: string;
  /** Default: the address from which the system sends to the peer. */
  readonly localAddress?: string | undefined;
  /** Default 300 ms. */
  readonly interval?: Duration | undefined;
  /** Default 3. */
  readonly multiplier?: number | undefined;
}

/** With the defaults filled in and the addresses in one spelling. */
export interface WantedPeer {
  readonly address: string;
  readonly localAddress: string | undefined;
  readonly interval: Duration;
  readonly multiplier: number;
}

/** Throws RangeError, naming the peer and the value, where a wish cannot be a session. */
export function wantedPeers(peers: readonly BfdPeer[]): readonly WantedPeer[] {
  if (peers.length > MAX_PEERS) throw new RangeError(`${peers.length} BFD peers; at most ${MAX_PEERS}`);
  const wanted = peers.map(wantedPeer);
  const twice = wanted.find(({ address }, i) => wanted.findIndex((other) => other.address === address) < i);
  if (twice !== undefined) throw new RangeError(`BFD peer ${twice.address} is listed twice`);
  return wanted;
}

function wantedPeer(peer: BfdPeer): WantedPeer {
  const { interval = DEFAULT_INTERVAL, multiplier = DEFAULT_MULTIPLIER } = peer;
  const wrong = (what: string): never => {
    throw new RangeError(`BFD peer ${peer.address}: ${what}`);
  };
  const address = canonicalAddress(peer.address) ?? wrong("is no IPv4 or IPv6 address");
  const localAddress = peer.localAddress === undefined ? undefined : canonicalAddress(peer.localAddress);
  if (peer.localAddress !== undefined && localAddress === undefined) wrong(`${peer.localAddress} is no address`);
  if (localAddress !== undefined && localAddress.includes(":") !== address.includes(":"))
    wrong(`its local address ${localAddress} is of the other family`);
  if (address.startsWith("fe80:")) wrong("link-local addresses are not supported; use a global or unique local one");
  if (!(interval >= MIN_INTERVAL && interval <= MAX_INTERVAL))
    wrong(
      `interval ${formatDuration(interval)} is not within ${formatDuration(MIN_INTERVAL)} to ${formatDuration(MAX_INTERVAL)}`,
    );
  if (!Number.isInteger(multiplier) || multiplier < 1 || multiplier > MAX_MULTIPLIER)
    wrong(`multiplier ${multiplier} is not a whole number from 1 to ${MAX_MULTIPLIER}`);
  return { address, localAddress, interval, multiplier };
}
