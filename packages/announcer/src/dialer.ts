import type { Socket } from "node:net";
import { PLAIN_DIALER, SOCKET_OPTIONS, type Dialer } from "@stitch/bgp-speaker";
import { seconds, type Clock, type Duration } from "@stitch/clock";
import { canConnectTcp, connectTcp } from "@stitch/linux-io";

/** The session gives an attempt up long before. */
const DIAL_LIMIT: Duration = seconds(60);

/** Opens BGP connections with every socket option there is, where this machine has the addon that sets them. */
export function dialer(clock: Clock, onOpened: (peer: string, socket: Socket) => void = () => undefined): Dialer {
  if (canConnectTcp() !== true) return PLAIN_DIALER;
  return {
    sets: SOCKET_OPTIONS,
    dial: async ({ address, port, localAddress, ...options }, signal) => {
      const local = localAddress === undefined ? {} : { local: { address: localAddress, port: 0 } };
      const peer = { address, port };
      const socket = await connectTcp({ peer, ...local, clock, timeout: DIAL_LIMIT, ...options }, signal);
      onOpened(address, socket);
      return socket;
    },
  };
}
