import { CONNECT_TIMEOUT, type Dialer, SOCKET_OPTIONS } from "@stitch/bgp-speaker";
import { scaled, SystemClock } from "@stitch/clock";
import { connectTcp } from "@stitch/linux-io";

const clock = new SystemClock();

/** Behind the session's own: it is the session that gives an attempt up, and says why. */
const LAST_TIMEOUT = scaled(CONNECT_TIMEOUT, 2);

/** Connections with the addon's socket options. */
export const NATIVE_DIALER: Dialer = {
  sets: SOCKET_OPTIONS,
  dial: ({ address, port, localAddress, ...options }, signal) => {
    const local = localAddress === undefined ? {} : { local: { address: localAddress, port: 0 } };
    return connectTcp({ peer: { address, port }, clock, timeout: LAST_TIMEOUT, ...local, ...options }, signal);
  },
};
