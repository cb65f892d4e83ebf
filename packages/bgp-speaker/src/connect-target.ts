import { DEFAULT_HOLD_TIME } from "./negotiate.ts";
import { BGP_PORT, type PeerOptions } from "./session-options.ts";
import type { ConnectTarget, SocketOption, Transport } from "./transport.ts";

/** The largest TTL there is: a packet that still has it has passed no router (RFC 5082). */
const MAX_TTL = 255;
/** CS6, network control (RFC 2474 section 4.2.2.1): routing must arrive where user traffic already drops. */
const NETWORK_CONTROL = 48 << 2;

/** The socket options as operators know them. */
const WORDS: Readonly<Record<SocketOption, string>> = {
  md5Password: "a TCP-MD5 password",
  hopLimit: "the TTL of what is sent",
  leastHopLimit: "GTSM (a least TTL of what arrives)",
  trafficClass: "DSCP",
  userTimeout: "TCP_USER_TIMEOUT",
};

/** The transport cannot give a connection what the peer's options ask for. Thrown once, before anything is sent. */
export class UnsettableOptionError extends Error {
  override readonly name = "UnsettableOptionError";
  readonly options: readonly SocketOption[];

  constructor(address: string, options: readonly SocketOption[]) {
    const missing = options.map((option) => WORDS[option]).join(" and ");
    super(`peer ${address}: this transport cannot set ${missing}; give TcpTransport a dialer that can`);
    this.options = options;
  }
}

/**
 * What to connect to and how. What the peer insists on (password, GTSM, TTL) must be settable, else the session could
 * never come up, or would without its protection: UnsettableOptionError. DSCP and the user timeout are set where they can be.
 */
export function connectTarget(peer: PeerOptions, { settable }: Pick<Transport, "settable">): ConnectTarget {
  const { address, port = BGP_PORT, localAddress, holdTime = DEFAULT_HOLD_TIME } = peer;
  const needed = neededOptions(peer);
  const missing = (Object.keys(needed) as SocketOption[]).filter((option) => !settable.includes(option));
  if (missing.length > 0) throw new UnsettableOptionError(address, missing);
  return {
    address,
    port,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...needed,
    ...(settable.includes("trafficClass") ? { trafficClass: NETWORK_CONTROL } : {}),
    // A peer that has acknowledged nothing for the hold time has also sent nothing: the session is over anyway.
    ...(settable.includes("userTimeout") ? { userTimeout: holdTime } : {}),
  };
}

function neededOptions({ password, ttl, ttlSecurity }: PeerOptions): Pick<ConnectTarget, SocketOption> {
  return {
    ...(password === undefined ? {} : { md5Password: password }),
    ...(ttl === undefined ? {} : { hopLimit: ttl }),
    ...(ttlSecurity === undefined ? {} : { hopLimit: MAX_TTL, leastHopLimit: MAX_TTL + 1 - ttlSecurity }),
  };
}
