import { connect, type Socket } from "node:net";
import { failed, type Request } from "./exchange.ts";
import type { StreamEvents, Way } from "./stream.ts";

/** Over TCP, in the clear (RFC 7766). */
export const TCP_WAY: Way = {
  exactCase: false,
  open: ({ upstream, source }: Request, on: StreamEvents): Socket => {
    const socket = connect({
      host: upstream.address,
      port: upstream.port,
      noDelay: true,
      ...(source === undefined ? {} : { localAddress: source }),
    });
    socket.on("connect", on.ready);
    socket.on("error", ({ code = "unknown" }: NodeJS.ErrnoException) => on.end(failed(code)));
    return socket;
  },
  written: (message) => message,
};
